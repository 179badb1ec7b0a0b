// Gets an access token from brokerd, with nothing but Go's standard library.
//
// usage: go run brokerd.go PROFILE [SCOPE]...
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

// What brokerd says: the token, a prompt, or why there is no token.
type answer struct {
	AccessToken      string `json:"access_token"`
	ExpiresOn        int64  `json:"expires_on"`
	Event            string `json:"event"`
	UserCode         string `json:"user_code"`
	VerificationURI  string `json:"verification_uri"`
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
}

// getToken returns brokerd's answer: silently if it can be had so, else after a person has signed in.
func getToken(ctx context.Context, profile string, scopes []string) (*answer, error) {
	// cron and su have no XDG_RUNTIME_DIR, but the directory is there.
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = fmt.Sprintf("/run/user/%d", os.Geteuid())
	}
	path := os.Getenv("BROKERD_SOCKET")
	if path == "" {
		path = runtime + "/brokerd/brokerd.sock"
	}
	brokerd := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		// This client is for one request, and would keep its connection.
		DisableKeepAlives: true,
	}}
	body, err := json.Marshal(map[string]any{"profile": profile, "scopes": scopes})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/token", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := brokerd.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	// One object, or an event a line while a person signs in; the last one is the token, or says why there is none.
	for events := json.NewDecoder(response.Body); events.More(); {
		var said answer
		switch err := events.Decode(&said); {
		case err != nil:
			return nil, err
		case said.Error != "":
			return nil, fmt.Errorf("%s: %s", said.Error, said.ErrorDescription)
		case said.AccessToken != "":
			return &said, nil
		case said.Event == "device_prompt":
			fmt.Fprintf(os.Stderr, "To sign in, open %s and enter %s\n", said.VerificationURI, said.UserCode)
		}
	}
	return nil, errors.New("brokerd has left")
}

func main() {
	token, err := getToken(context.Background(), os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(token.AccessToken)
}
