package sso

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
)

// Callback is what the browser brought back.
type Callback struct {
	Code    string
	State   string
	Iss     string // RFC 9207
	Error   string // RFC 6749 section 4.1.2.1
	Browser string // the cookie that the flow began with
}

// Result is a proven identity, and with a launch the chart's context.
type Result struct {
	Org        uuid.UUID
	Kind       string // smart or sso
	Connection string
	EHR        string // name of the EHR that FHIRUser belongs to; "" if none
	Issuer     string
	Subject    string
	FHIRUser   phi.Text // "Practitioner/id"
	Name       phi.Text
	Roles      []identity.Role
	AuthTime   time.Time
	ACR        string
	SessionID  string // sid, for back-channel logout
	Grant      *Grant // launches only
	Context    Launch // launches only
	ReturnPath string // sign-ins only
}

// Identity is the result as People.SignIn takes it. A launch names somebody by the EHR alone, so that an identity
// provider's subject is never mixed with an EHR's.
func (r Result) Identity() identity.Identity {
	id := identity.Identity{EHR: r.EHR, Practitioner: r.FHIRUser, Name: r.Name, Roles: r.Roles}
	if r.Kind == "sso" {
		id.Issuer, id.Subject = r.Issuer, r.Subject
	}
	return id
}

const maxCallbackValue = 8192

// Complete ends a flow: it uses the state up, exchanges the code and verifies what came back. It fails with *Refused or
// *Failed, which are in the trail.
func (s *SSO) Complete(ctx context.Context, from identity.Caller, c Callback) (Result, error) {
	if c.State == "" || len(c.State) > maxCallbackValue || len(c.Code) > maxCallbackValue {
		return Result{}, s.rejected(ctx, from, nil, refuse("state-unknown", "state is missing or too long"))
	}
	p, f, err := s.takeFlow(ctx, c.State, c.Browser)
	if err != nil {
		return Result{}, s.rejected(ctx, from, p, err)
	}
	result, err := s.finish(ctx, p, f, c)
	if err != nil {
		return Result{}, s.rejected(ctx, from, p, err)
	}
	return result, nil
}

func (s *SSO) finish(ctx context.Context, p *peer, f flow, c Callback) (Result, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return Result{}, err
	}
	switch {
	case m.Issuer != f.Issuer:
		return Result{}, refuse("iss-mismatch", "the issuer changed during the flow")
	case m.ResponseIss && c.Iss != m.Issuer, c.Iss != "" && c.Iss != m.Issuer:
		return Result{}, refuse("iss-mismatch", "the response names another issuer")
	case c.Error != "":
		return Result{}, authorizeError(c.Error)
	case c.Code == "":
		return Result{}, fail("bad-response", errors.New("neither code nor error"))
	}
	answer, err := s.requestToken(ctx, p, m, p.clientID, url.Values{"grant_type": {"authorization_code"}, "code": {c.Code},
		"redirect_uri": {s.redirectURI(p)}, "code_verifier": {f.Verifier}})
	if err != nil {
		return Result{}, err
	}
	if answer.IDToken == "" {
		return Result{}, fail("bad-token-response", errors.New("no id_token"))
	}
	claims, err := s.verify(ctx, p, m, answer.IDToken, f.Nonce)
	if err != nil {
		return Result{}, err
	}
	if f.MaxAge > 0 && !claims.provenWithin(time.Duration(f.MaxAge)*time.Second, s.now()) {
		return Result{}, refuse("step-up", "the identity provider did not ask for the proof again")
	}
	result := Result{Org: p.org, Connection: p.name, Issuer: claims.Issuer, Subject: claims.Subject, Name: phi.NewText(claims.Name),
		AuthTime: claims.authTime(s.now().UTC()), ACR: claims.ACR, SessionID: claims.SID, ReturnPath: f.ReturnPath}
	if p.smart {
		return s.launched(p, result, claims, answer)
	}
	result.Kind, result.Roles = "sso", p.roles(claims.all)
	ehr, ref := s.linkedEHR(p, claims.FHIRUser)
	result.EHR, result.FHIRUser = ehr, phi.NewText(ref)
	if claims.FHIRUser != "" && ref == "" {
		s.log.Warn("the identity provider's fhirUser claim belongs to no configured EHR", "connection", p.name)
	}
	return result, nil
}

func (s *SSO) launched(p *peer, result Result, c claims, answer tokenAnswer) (Result, error) {
	ref, err := practitioner(c.FHIRUser, p.base)
	if err != nil {
		return Result{}, err
	}
	result.Kind, result.EHR, result.FHIRUser, result.Roles = "smart", p.name, phi.NewText(ref), []identity.Role{identity.Clinician}
	if result.Context, err = answer.launch(p.base); err != nil {
		return Result{}, err
	}
	result.Grant = answer.grant(p.name, p.scopes, s.now().UTC())
	return result, nil
}

// authorizeError sorts what the authorization endpoint answered; its text is not for people.
func authorizeError(code string) error {
	switch code {
	case "access_denied":
		return refuse("access-denied", "")
	case "login_required", "interaction_required":
		return fail("login-required", nil)
	case "temporarily_unavailable", "server_error":
		return fail("unreachable", errors.New("the authorization endpoint answered "+code))
	}
	return fail("bad-response", errors.New("the authorization endpoint answered with an error"))
}

// LogoutURL is where a browser ends its session at the identity provider as well (OIDC RP-Initiated Logout 1.0), or ""
// where that is not offered. returnURL has to be registered there.
func (s *SSO) LogoutURL(ctx context.Context, provider, returnURL string) string {
	p := s.byName(provider, false)
	if p == nil {
		return ""
	}
	m, err := p.discover(ctx)
	if err != nil || m.EndSession == "" {
		return ""
	}
	address, err := secureURL(m.EndSession)
	if err != nil {
		return ""
	}
	address.RawQuery = url.Values{"client_id": {p.clientID}, "post_logout_redirect_uri": {returnURL}}.Encode()
	return address.String()
}
