package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Client is the registration of a SMART application.
type Client struct {
	ClientID string `json:"client_id"`
	Name     string `json:"name"`
	JWKSURI  string `json:"jwks_uri"`
	// JWKS registers the public keys themselves, for a client without a web server. Without a launch URL the client is
	// no application of the chart: it uses Backend Services only.
	JWKS         *jose.JSONWebKeySet `json:"jwks"`
	LaunchURL    string              `json:"launch_url"`
	RedirectURIs []string            `json:"redirect_uris"`
	// Scopes is a space-separated list.
	Scopes string `json:"scopes"`
	// Introspects lets a client that is a resource server too ask about the tokens of the others.
	Introspects bool `json:"introspects"`
}

// StaffClient is the registration of an application of the staff identity provider.
type StaffClient struct {
	ClientID               string   `json:"client_id"`
	JWKSURI                string   `json:"jwks_uri"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
}

// Config says how to run a sandbox. Origin is the https origin browsers and clients use.
type Config struct {
	Listen  string `json:"listen"`
	Origin  string `json:"origin"`
	Data    string `json:"data"`
	TLSCert string `json:"tls_cert"`
	TLSKey  string `json:"tls_key"`
	// CAFile holds the certificates trusted, besides the system's, when key sets of clients are fetched.
	CAFile string `json:"ca_file"`
	// StartAt, when set, is the moment (RFC 3339) the sandbox takes the time of its start to be.
	StartAt      string        `json:"now"`
	Clients      []Client      `json:"clients"`
	StaffClients []StaffClient `json:"staff_clients"`

	// Now, RootCAs and Log are for use in process. Now defaults to the clock, RootCAs to
	// CAFile and the system's, Log to none.
	Now     func() time.Time `json:"-"`
	RootCAs *x509.CertPool   `json:"-"`
	Log     *slog.Logger     `json:"-"`
}

// ErrConfig wraps every mistake in a Config.
var ErrConfig = errors.New("sandbox configuration")

func configError(format string, args ...any) error {
	return errors.Join(ErrConfig, fmt.Errorf(format, args...))
}

func (c *Config) complete() error {
	origin, err := url.Parse(c.Origin)
	if err != nil || origin.Scheme != "https" || origin.Host == "" || c.Origin != origin.Scheme+"://"+origin.Host {
		return configError("origin must be https://host[:port] with nothing after it")
	}
	if c.Data == "" {
		return configError("data is missing")
	}
	for _, client := range c.Clients {
		if err := checkURLs(client.ClientID, client.urls()); err != nil {
			return err
		}
	}
	for _, client := range c.StaffClients {
		if err := checkURLs(client.ClientID, append(append([]string{client.JWKSURI}, client.RedirectURIs...), client.PostLogoutRedirectURIs...)); err != nil {
			return err
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c.completeClock()
}

func (c *Config) completeClock() error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.StartAt == "" {
		return nil
	}
	start, err := time.Parse(time.RFC3339, c.StartAt)
	if err != nil {
		return configError("now must be an RFC 3339 time")
	}
	clock := c.Now
	shift := start.Sub(clock())
	c.Now = func() time.Time { return clock().Add(shift) }
	return nil
}

// urls are the client's addresses.
func (c Client) urls() []string {
	var urls []string
	if c.JWKS == nil {
		urls = append(urls, c.JWKSURI)
	}
	if c.JWKS == nil || c.LaunchURL != "" {
		urls = append(urls, c.LaunchURL)
	}
	return append(urls, c.RedirectURIs...)
}

func checkURLs(clientID string, urls []string) error {
	if clientID == "" || strings.ContainsAny(clientID, ": \t\r\n") {
		return configError("client_id is missing, or has a colon or white space")
	}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
			return configError("client %s: every URL must be absolute https", clientID)
		}
	}
	return nil
}

// httpClient fetches key sets; it follows no redirect.
func (c *Config) httpClient() (*http.Client, error) {
	roots := c.RootCAs
	if roots == nil {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if c.CAFile != "" {
			pem, err := os.ReadFile(c.CAFile)
			if err != nil {
				return nil, fmt.Errorf("read ca_file: %w", err)
			}
			if !roots.AppendCertsFromPEM(pem) {
				return nil, configError("ca_file holds no certificate")
			}
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// origins lists the origins of all clients, for the pages' security policy.
func (c *Config) origins() []string {
	var urls []string
	for _, client := range c.Clients {
		urls = append(urls, client.urls()...)
	}
	for _, client := range c.StaffClients {
		urls = append(append(urls, client.RedirectURIs...), client.PostLogoutRedirectURIs...)
	}
	seen := map[string]bool{}
	var out []string
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || seen[u.Host] {
			continue
		}
		seen[u.Host] = true
		out = append(out, u.Scheme+"://"+u.Host)
	}
	return out
}
