// Gets an access token from brokerd, with nothing but Java 17.
//
// usage: java Brokerd.java PROFILE [SCOPE]...

import java.io.IOException;
import java.io.InputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public final class Brokerd {
    public static void main(String[] args) throws IOException {
        System.out.println(getToken(args[0], List.of(args).subList(1, args.length)));
    }

    /** Returns an access token: silently if it can be had so, else after a person has signed in. */
    static String getToken(String profile, List<String> scopes) throws IOException {
        String named = scopes.stream().map(scope -> '"' + scope + '"').collect(Collectors.joining(","));
        byte[] body = "{\"profile\":\"%s\",\"scopes\":[%s]}".formatted(profile, named).getBytes(StandardCharsets.UTF_8);
        String head = "POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: " + body.length + "\r\n\r\n";
        // java.net.http knows no such sockets, so the HTTP is here.
        try (SocketChannel brokerd = SocketChannel.open(UnixDomainSocketAddress.of(path()))) {
            brokerd.write(ByteBuffer.wrap(head.getBytes(StandardCharsets.US_ASCII)));
            brokerd.write(ByteBuffer.wrap(body));
            InputStream in = Channels.newInputStream(brokerd);
            int length = -1;
            for (String line = line(in); !line.isEmpty(); line = line(in)) {
                String[] field = line.toLowerCase().split(": ", 2);
                length = field[0].equals("content-length") ? Integer.parseInt(field[1]) : length;
            }
            if (length >= 0) {
                return token(new String(in.readNBytes(length), StandardCharsets.UTF_8));
            }
            // A person must sign in: an event a line, in chunks (RFC 9112 section 7.1), until one is the token or says why not.
            // There may be others.
            StringBuilder lines = new StringBuilder();
            for (int size = chunk(in); size > 0; size = chunk(in)) {
                lines.append(new String(in.readNBytes(size), StandardCharsets.UTF_8));
                line(in);
                for (int end = lines.indexOf("\n"); end >= 0; end = lines.indexOf("\n")) {
                    String event = lines.substring(0, end);
                    lines.delete(0, end + 1);
                    if (member(event, "access_token") != null || member(event, "error") != null) {
                        return token(event);
                    }
                    if ("device_prompt".equals(member(event, "event"))) {
                        System.err.println("To sign in, open " + member(event, "verification_uri")
                                + " and enter " + member(event, "user_code"));
                    }
                }
            }
            throw new IOException("brokerd has left");
        }
    }

    private static String path() throws IOException {
        String named = System.getenv("BROKERD_SOCKET");
        if (named != null && !named.isEmpty()) {
            return named;
        }
        // cron and su have no XDG_RUNTIME_DIR, but the directory is there.
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        if (runtime == null || runtime.isEmpty()) {
            runtime = "/run/user/" + Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        }
        return runtime + "/brokerd/brokerd.sock";
    }

    private static String token(String answer) throws IOException {
        String token = member(answer, "access_token");
        if (token == null) {
            throw new IOException(member(answer, "error") + ": " + member(answer, "error_description"));
        }
        return token;
    }

    /** A string of JSON, and the colon if it is a name; or what opens or closes a value that has members. */
    private static final Pattern PIECE = Pattern.compile("\"([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+)\"(\\s*:)?|[{}\\[\\]]");
    private static final Pattern ESCAPE = Pattern.compile("\\\\(?:u(\\p{XDigit}{4})|.)");

    /** Returns a JSON object's own member that is text. Java has no JSON of its own; your program has a library. */
    private static String member(String json, String name) {
        int depth = 0;
        String last = null;
        for (Matcher piece = PIECE.matcher(json); piece.find();) {
            if (piece.group(1) == null) {
                depth += "{[".contains(piece.group()) ? 1 : -1;
            } else if (piece.group(2) != null) {
                last = piece.group(1);
            } else if (depth == 1 && name.equals(last)) {
                return ESCAPE.matcher(piece.group(1)).replaceAll(escape -> Matcher.quoteReplacement(unescaped(escape)));
            }
        }
        return null;
    }

    private static String unescaped(MatchResult escape) {
        if (escape.group(1) != null) {
            return String.valueOf((char) Integer.parseInt(escape.group(1), 16));
        }
        return escape.group().equals("\\/") ? "/" : escape.group().translateEscapes();
    }

    private static int chunk(InputStream in) throws IOException {
        String size = line(in);
        return size.isEmpty() ? 0 : Integer.parseInt(size, 16);
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next >= 0 && next != '\n'; next = in.read()) {
            line.append((char) next);
        }
        return line.toString().stripTrailing();
    }
}
