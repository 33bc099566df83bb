package smart

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
	"github.com/televisit/televisit/cmd/dev/sandbox/oauth"
	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
)

// Client is the registration of a SMART application.
type Client struct {
	ID, Name, JWKSURI, LaunchURL string
	Keys                         *jose.JSONWebKeySet
	RedirectURIs                 []string
	// Scopes is the space-separated list the client is registered for.
	Scopes string
	// Introspects lets the client, as a resource server, ask about the tokens of the other clients.
	Introspects bool
}

// Config is what a Server needs.
type Config struct {
	Origin, FHIRBase, DataDir string
	LoginPage, PatientPage    string
	Clients                   []Client
	Users                     *accounts.Users
	Sessions                  *accounts.Sessions
	// EncounterOf returns the id of the encounter of an appointment, or "".
	EncounterOf func(appointment string) string
	HTTP        *http.Client
	Now         func() time.Time
	Log         *slog.Logger
}

// Server is the authorization server with its launches.
type Server struct {
	*oauth.Server
	config   Config
	issuer   string
	launches *launches
}

// New makes a server whose issuer is {origin}/auth.
func New(c Config) (*Server, error) {
	s := &Server{config: c, issuer: c.Origin + "/auth", launches: newLaunches(c.Now)}
	var clients []*oauth.Client
	for _, client := range c.Clients {
		clients = append(clients, &oauth.Client{ID: client.ID, Name: client.Name, JWKSURI: client.JWKSURI, Keys: client.Keys, Redirects: client.RedirectURIs,
			Scopes: strings.Fields(client.Scopes), Introspects: client.Introspects, Grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials}})
	}
	var err error
	s.Server, err = oauth.New(oauth.Config{Issuer: s.issuer, LoginPage: c.LoginPage, Name: "smart", DataDir: c.DataDir, Clients: clients,
		Users: c.Users, Sessions: c.Sessions, Profile: s, HTTP: c.HTTP, Now: c.Now, Log: c.Log})
	return s, err
}

// NewLaunch makes the value of the launch parameter.
func (s *Server) NewLaunch(l Launch) string { return s.launches.issue(l) }

// launchContext is what a grant remembers of its launch.
type launchContext struct {
	patient, appointment string
	// user, when set, is the only one who may go on.
	user string
	// choose is set for a standalone launch that asked for a patient.
	choose bool
}

const (
	scopeLaunch        = "launch"
	scopeLaunchPatient = "launch/patient"
)

// Authorize checks aud and launch (SMART App Launch 2.2, "Obtain authorization code").
func (s *Server) Authorize(form url.Values, client *oauth.Client, scopes []string) (any, error) {
	if form.Get("aud") != s.config.FHIRBase {
		return nil, oidc.ErrInvalidRequest().WithDescription("aud must be the FHIR base of this server")
	}
	token := form.Get("launch")
	if token == "" {
		if slices.Contains(scopes, scopeLaunch) {
			return nil, oidc.ErrInvalidRequest().WithDescription("the scope launch needs the launch parameter")
		}
		return &launchContext{choose: slices.Contains(scopes, scopeLaunchPatient)}, nil
	}
	if !slices.Contains(scopes, scopeLaunch) {
		return nil, oidc.ErrInvalidScope().WithDescription("a launch needs the scope launch")
	}
	launch, err := s.launches.take(token, client.ID)
	if err != nil {
		return nil, oidc.ErrInvalidRequest().WithDescription("%s", err.Error())
	}
	return &launchContext{patient: launch.Patient, appointment: launch.Appointment, user: launch.Subject}, nil
}

// Admit lets only the user who launched go on, and asks for a patient where one is wanted.
func (s *Server) Admit(r *oauth.Request, user accounts.User) (string, error) {
	context, ok := r.Context.(*launchContext)
	if !ok {
		return "", oidc.ErrServerError()
	}
	if context.user != "" && context.user != user.Subject {
		return "", oidc.ErrAccessDenied().WithDescription("the launch belongs to another user")
	}
	if context.choose && context.patient == "" {
		return s.config.PatientPage + "?request=" + url.QueryEscape(r.GetID()), nil
	}
	return "", nil
}

// ErrRequest tells that there is no such request in this browser.
var ErrRequest = errors.New("the sign-in has expired or belongs to another browser")

// ChoosePatient sets the patient of a standalone launch and returns where to go on.
func (s *Server) ChoosePatient(r *http.Request, request, patient string) (string, error) {
	pending, ok := s.Pending(r, request)
	if !ok {
		return "", ErrRequest
	}
	context, ok := pending.Context.(*launchContext)
	if !ok || !context.choose {
		return "", ErrRequest
	}
	context.patient = patient
	return s.issuer + "/continue?request=" + url.QueryEscape(request), nil
}

// Claims adds fhirUser, and name and email when their scopes were granted.
func (s *Server) Claims(user accounts.User, grant *oauth.Grant) map[string]any {
	claims := map[string]any{}
	if user.Practitioner != "" && grant.Has("fhirUser") {
		claims["fhirUser"] = s.config.FHIRBase + "/" + user.Practitioner
	}
	if grant.Has(oidc.ScopeProfile) {
		claims["name"] = user.Name
	}
	return claims
}

// TokenExtras is the launch context (SMART App Launch 2.2, "Launch context arrives with your access_token").
func (s *Server) TokenExtras(grant *oauth.Grant) map[string]any {
	extras := map[string]any{"need_patient_banner": true, "smart_style_url": s.config.Origin + "/style/smart-v1.json", "tenant": "sandbox-hospital"}
	context, ok := grant.Context.(*launchContext)
	if !ok || context.patient == "" {
		return extras
	}
	extras["patient"] = context.patient
	if context.user != "" {
		// Launched from the chart, which shows the patient's banner itself.
		extras["need_patient_banner"] = false
	}
	if context.appointment != "" {
		extras["fhirContext"] = []map[string]string{{"reference": "Appointment/" + context.appointment}}
		if encounter := s.config.EncounterOf(context.appointment); encounter != "" {
			extras["encounter"] = encounter
		}
	}
	return extras
}

// AllowUser allows registered scopes, except those of Backend Services.
func (s *Server) AllowUser(client *oauth.Client, text string) bool {
	return !strings.HasPrefix(text, "system/") && allowed(client, text)
}

// AllowSystem allows registered scopes of Backend Services only.
func (s *Server) AllowSystem(client *oauth.Client, text string) bool {
	return strings.HasPrefix(text, "system/") && allowed(client, text)
}

func allowed(client *oauth.Client, text string) bool {
	if slices.Contains(client.Scopes, text) {
		return true
	}
	parsed, ok := scope.Parse(text)
	return ok && scope.ParseSet(client.Scopes).Covers(parsed)
}

// Discovery names the SMART grants and scopes.
func (s *Server) Discovery(d *oidc.DiscoveryConfiguration) {
	d.GrantTypesSupported = append(d.GrantTypesSupported, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials)
	d.ScopesSupported = append([]string{"openid", "profile", "fhirUser"}, smartScopes()...)
}

func smartScopes() []string {
	return []string{"launch", "launch/patient", "online_access", "offline_access", "user/*.cruds", "patient/*.cruds", "system/*.cruds"}
}

// Configuration is /.well-known/smart-configuration.
func (s *Server) Configuration() map[string]any {
	return map[string]any{
		"issuer": s.issuer, "jwks_uri": s.issuer + "/keys", "authorization_endpoint": s.issuer + "/authorize", "token_endpoint": s.issuer + "/token",
		"introspection_endpoint": s.issuer + "/introspect", "revocation_endpoint": s.issuer + "/revoke",
		"grant_types_supported":                            []string{"authorization_code", "refresh_token", "client_credentials"},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS384", "ES384"},
		"response_types_supported":                         []string{"code"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"scopes_supported":                                 append([]string{"openid", "profile", "fhirUser"}, smartScopes()...),
		"capabilities": []string{"launch-ehr", "launch-standalone", "authorize-post", "client-confidential-asymmetric", "sso-openid-connect",
			"context-banner", "context-style", "context-ehr-patient", "context-ehr-encounter", "context-standalone-patient",
			"permission-online", "permission-offline", "permission-patient", "permission-user", "permission-v2", "permission-v1"},
	}
}

// Access reads the access token of a FHIR request; Server is the Authorizer of the FHIR server.
func (s *Server) Access(r *http.Request) (fhirserver.Access, error) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return fhirserver.Access{}, errors.New("no access token")
	}
	token, ok := s.Token(bearer)
	if !ok {
		return fhirserver.Access{}, errors.New("the access token is not valid")
	}
	access := fhirserver.Access{Client: token.Grant.ClientID, Scopes: scope.ParseSet(token.Scopes)}
	if context, ok := token.Grant.Context.(*launchContext); ok {
		access.Patient = context.patient
	}
	return access, nil
}

// Revoke ends the access token of a FHIR request.
func (s *Server) Revoke(r *http.Request) {
	s.RevokeAccess(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
}
