package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/televisit/televisit/identity/phi"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenAnswer is a token response (RFC 6749 section 5.1) with SMART's launch context beside it.
type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    seconds `json:"expires_in"`
	RefreshToken string  `json:"refresh_token"`
	Scope        string  `json:"scope"`
	IDToken      string  `json:"id_token"`

	Patient     string          `json:"patient"`
	Encounter   string          `json:"encounter"`
	Appointment string          `json:"appointment"`
	Context     []contextItem   `json:"fhirContext"`
	Banner      json.RawMessage `json:"need_patient_banner"`
	StyleURL    string          `json:"smart_style_url"`
	Tenant      string          `json:"tenant"`
}

type contextItem struct {
	Reference string `json:"reference"`
	Role      string `json:"role"`
}

// seconds may be sent as a number or, by some servers, as text.
type seconds int64

// UnmarshalJSON reads both forms.
func (s *seconds) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || n < 0 || n > 1e9 {
		return errors.New("expires_in")
	}
	*s = seconds(n)
	return nil
}

// requestToken asks the token endpoint, authenticating by a signed assertion.
func (s *SSO) requestToken(ctx context.Context, p *peer, m metadata, clientID string, form url.Values) (tokenAnswer, error) {
	assertion, err := s.keys.assertion(m, clientID, s.now())
	if err != nil {
		return tokenAnswer{}, err
	}
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	status, body, err := postForm(ctx, p.client, m.Token, form)
	if err != nil {
		return tokenAnswer{}, err
	}
	if status != http.StatusOK {
		return tokenAnswer{}, tokenError(status, body)
	}
	var answer tokenAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return tokenAnswer{}, fail("bad-token-response", errors.New("no JSON of the expected form"))
	}
	if answer.AccessToken == "" || !strings.EqualFold(answer.TokenType, "bearer") {
		return tokenAnswer{}, fail("bad-token-response", errors.New("no bearer token"))
	}
	return answer, nil
}

// tokenError sorts RFC 6749 section 5.2; error_description is somebody else's text and is dropped.
func tokenError(status int, body []byte) error {
	var answer struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // whatever is no JSON has no code
	switch {
	case status >= 500 || status == http.StatusTooManyRequests:
		return fail("unreachable", fmt.Errorf("token endpoint: status %d", status))
	case answer.Error == "invalid_grant":
		return fail("invalid-grant", errors.New("token endpoint: invalid_grant"))
	case answer.Error == "invalid_client":
		return fail("invalid-client", errors.New("token endpoint: invalid_client: is our JWKS reachable from there?"))
	}
	return fail("bad-token-response", fmt.Errorf("token endpoint: status %d", status))
}

// Launch is the chart's context at the moment of the launch. It does not follow the chart afterwards.
type Launch struct {
	Patient           phi.Text // "Patient/id"; empty if the launch had none
	Encounter         phi.Text
	Appointment       phi.Text
	NeedPatientBanner bool // false only if the EHR says that it shows one itself
	StyleURL          string
	Tenant            string
}

func (a tokenAnswer) launch(base string) (Launch, error) {
	l := Launch{NeedPatientBanner: strings.Trim(string(a.Banner), `"`) != "false", StyleURL: a.StyleURL, Tenant: a.Tenant}
	for typ, field := range map[string]struct {
		id   string
		into *phi.Text
	}{"Patient": {a.Patient, &l.Patient}, "Encounter": {a.Encounter, &l.Encounter}, "Appointment": {a.Appointment, &l.Appointment}} {
		if field.id == "" {
			continue
		}
		id := strings.TrimPrefix(field.id, typ+"/")
		if !isFHIRID(id) {
			return Launch{}, fail("bad-context", errors.New(typ+" in the launch context has no FHIR id"))
		}
		*field.into = phi.NewText(typ + "/" + id)
	}
	for _, item := range a.Context {
		if item.Role != "" && item.Role != "launch" {
			continue
		}
		ref := relative(item.Reference, base)
		switch typ, _, _ := strings.Cut(ref, "/"); {
		case typ == "Appointment" && l.Appointment.IsZero():
			l.Appointment = phi.NewText(ref)
		case typ == "Encounter" && l.Encounter.IsZero():
			l.Encounter = phi.NewText(ref)
		}
	}
	if !strings.HasPrefix(l.StyleURL, "https://") {
		l.StyleURL = ""
	}
	return l, nil
}

// grant keeps the tokens. Without a scope in the answer the requested ones were granted (RFC 6749 section 5.1).
func (a tokenAnswer) grant(ehr string, requested []string, now time.Time) *Grant {
	scopes := strings.Fields(a.Scope)
	if len(scopes) == 0 {
		scopes = requested
	}
	return &Grant{EHR: ehr, Access: phi.NewText(a.AccessToken), Refresh: phi.NewText(a.RefreshToken), Scopes: scopes, ExpiresAt: a.expires(now)}
}

// expires takes five minutes where the server does not say.
func (a tokenAnswer) expires(now time.Time) time.Time {
	if a.ExpiresIn == 0 {
		return now.Add(5 * time.Minute)
	}
	return now.Add(time.Duration(a.ExpiresIn) * time.Second)
}
