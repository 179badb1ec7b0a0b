// Gets an access token from brokerd, with nothing but .NET 8.
//
// usage: dotnet run PROFILE [SCOPE]...

using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;

Console.WriteLine((await GetToken(args[0], args[1..])).GetProperty("access_token").GetString());

// Returns brokerd's answer: silently if it can be had so, else after a person has signed in.
static async Task<JsonElement> GetToken(string profile, string[] scopes)
{
    // cron and su have no XDG_RUNTIME_DIR, but the directory is there.
    var runtime = Variable("XDG_RUNTIME_DIR") ?? $"/run/user/{geteuid()}";
    var path = Variable("BROKERD_SOCKET") ?? runtime + "/brokerd/brokerd.sock";
    using var brokerd = new HttpClient(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { Timeout = Timeout.InfiniteTimeSpan };
    var request = new HttpRequestMessage(HttpMethod.Post, "http://localhost/v1/token")
    {
        Content = JsonContent.Create(new { profile, scopes }),
    };
    using var response = await brokerd.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
    // One object, or an event a line while a person signs in; the last one is the token, or says why there is none.
    while (await lines.ReadLineAsync() is { } line)
    {
        var answer = JsonSerializer.Deserialize<JsonElement>(line);
        if (answer.TryGetProperty("error", out var error))
        {
            throw new InvalidOperationException($"{error}: {answer.GetProperty("error_description")}");
        }
        if (answer.TryGetProperty("access_token", out _))
        {
            return answer;
        }
        if (answer.TryGetProperty("user_code", out var code))
        {
            Console.Error.WriteLine($"To sign in, open {answer.GetProperty("verification_uri")} and enter {code}");
        }
    }
    throw new InvalidOperationException("brokerd has left");
}

static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

[DllImport("libc")]
static extern uint geteuid();
