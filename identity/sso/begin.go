package sso

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

const (
	maxIss    = 2048
	maxLaunch = 8192 // some EHRs put a JWT in it
	maxQuery  = 16384
)

// ParseLaunch reads the query of a launch URL. Each parameter has to be there once; it fails with *Refused.
func ParseLaunch(rawQuery string) (iss, launch string, err error) {
	if len(rawQuery) > maxQuery {
		return "", "", refuse("bad-launch", "the query is too long")
	}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", "", refuse("bad-launch", "the query cannot be parsed")
	}
	if len(values["iss"]) != 1 || len(values["launch"]) != 1 {
		return "", "", refuse("bad-launch", "iss or launch is missing or given twice")
	}
	iss, launch = values.Get("iss"), values.Get("launch")
	return iss, launch, checkLaunch(iss, launch)
}

func checkLaunch(iss, launch string) error {
	switch {
	case iss == "" || len(iss) > maxIss || !printable(iss):
		return refuse("bad-launch", "iss is empty, too long or not printable")
	case launch == "" || len(launch) > maxLaunch || !printable(launch):
		return refuse("bad-launch", "launch is empty, too long or not printable")
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) && r != ' ' }) < 0
}

// BeginLaunchURL is BeginLaunch for the query of a launch URL as it came.
func (s *SSO) BeginLaunchURL(ctx context.Context, from identity.Caller, rawQuery, browser string) (string, error) {
	iss, launch, err := ParseLaunch(rawQuery)
	if err != nil {
		return "", s.rejected(ctx, from, nil, err)
	}
	return s.BeginLaunch(ctx, from, iss, launch, browser)
}

// BeginLaunch answers an EHR launch: the address at the EHR to send the browser to. iss has to be a configured FHIR base,
// to the letter; nothing is fetched before that is known. browser is the value of a random cookie.
func (s *SSO) BeginLaunch(ctx context.Context, from identity.Caller, iss, launch, browser string) (string, error) {
	if err := checkLaunch(iss, launch); err != nil {
		return "", s.rejected(ctx, from, nil, err)
	}
	p := s.ehrByIss(iss)
	if p == nil {
		return "", s.rejected(ctx, from, nil, refuse("unknown-iss", ""))
	}
	redirect, err := s.begin(ctx, p, flow{Launch: launch, browser: browser})
	if err != nil {
		return "", s.rejected(ctx, from, p, err)
	}
	return redirect, nil
}

// BeginLogin answers a member of staff who wants to sign in: the address at the identity provider. returnPath is a
// path of ours to come back to; anything else becomes "/".
func (s *SSO) BeginLogin(ctx context.Context, from identity.Caller, provider, returnPath, browser string) (string, error) {
	return s.beginLogin(ctx, from, provider, flow{ReturnPath: localPath(returnPath), browser: browser})
}

// BeginStepUp is BeginLogin for somebody who has to prove again who they are: at most maxAge (whole seconds, at least one) may
// have passed since they did, and Complete makes sure of it (OIDC Core 3.1.2.1, max_age).
func (s *SSO) BeginStepUp(ctx context.Context, from identity.Caller, provider, returnPath, browser string, maxAge time.Duration) (string, error) {
	return s.beginLogin(ctx, from, provider, flow{ReturnPath: localPath(returnPath), browser: browser, MaxAge: max(int(maxAge/time.Second), 1)})
}

func (s *SSO) beginLogin(ctx context.Context, from identity.Caller, provider string, f flow) (string, error) {
	p := s.byName(provider, false)
	if p == nil {
		return "", s.rejected(ctx, from, nil, refuse("unknown-provider", ""))
	}
	redirect, err := s.begin(ctx, p, f)
	if err != nil {
		return "", s.rejected(ctx, from, p, err)
	}
	return redirect, nil
}

func (s *SSO) begin(ctx context.Context, p *peer, f flow) (string, error) {
	if f.browser == "" {
		return "", errors.New("sso: a flow needs the browser's cookie")
	}
	m, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	f.Verifier, f.Nonce, f.Issuer = oauth2.GenerateVerifier(), randomText(), m.Issuer
	state := randomText()
	if err := s.saveFlow(ctx, p, state, f); err != nil {
		return "", err
	}
	return authorizeURL(m, p, s.redirectURI(p), state, f)
}

func authorizeURL(m metadata, p *peer, redirectURI, state string, f flow) (string, error) {
	address, err := url.Parse(m.Authorization)
	if err != nil {
		return "", fail("bad-metadata", errors.New("authorization_endpoint"))
	}
	query := address.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": p.clientID, "redirect_uri": redirectURI, "state": state, "nonce": f.Nonce,
		"code_challenge": oauth2.S256ChallengeFromVerifier(f.Verifier), "code_challenge_method": "S256",
		"scope": strings.Join(scopesFor(p.scopes, m), " "),
	} {
		query.Set(name, value)
	}
	if p.smart {
		query.Set("launch", f.Launch)
		query.Set("aud", p.base)
	}
	if f.MaxAge > 0 {
		query.Set("max_age", strconv.Itoa(f.MaxAge))
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}

// randomText is 256 bits.
func randomText() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // crypto/rand never fails (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// localPath keeps a path of ours. Browsers read "//host" and "/\host" as another site.
func localPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || len(path) > maxIss ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\") || !printable(path) {
		return "/"
	}
	return path
}

// rejected records why somebody was not let in, and passes the error on.
func (s *SSO) rejected(ctx context.Context, from identity.Caller, p *peer, err error) error {
	org, detail := s.home, map[string]any{}
	if p != nil {
		org, detail["connection"] = p.org, p.name
	}
	event := audit.Event{Action: "login.failed", Outcome: audit.Failure, Detail: detail}
	var refused *Refused
	var failed *Failed
	switch {
	case errors.As(err, &refused):
		event.Outcome, detail["code"] = audit.Refused, refused.code
	case errors.As(err, &failed):
		detail["code"] = failed.code
	default:
		detail["code"] = "internal"
	}
	return errors.Join(err, s.db.Record(context.WithoutCancel(ctx), from.Anonymous(org), event))
}
