package oauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
	"github.com/televisit/televisit/cmd/dev/sandbox/reqlog"
)

// Authentication context classes of the hospital.
const (
	// ACRPassword is a session that was begun with a password, at auth_time.
	ACRPassword = "urn:sandbox-hospital:acr:password"
	// ACRFresh is a password entered for this very request (step-up).
	ACRFresh = "urn:sandbox-hospital:acr:fresh"
)

// challengePattern is an S256 challenge: base64url of 32 bytes (RFC 7636 section 4.2).
var challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// Authorize stores an authorization request whose client, redirect URI, response type and
// scopes the library has checked, and sends the browser on to sign in.
func (s *Server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	request, err := s.newRequest(ctx, r)
	if err != nil {
		return op.TryErrorRedirect(ctx, r.Data, err, s.provider.Encoder(), s.provider.Logger())
	}
	reqlog.Note(ctx, func(e *reqlog.Entry) { e.Client = request.clientID })
	redirect := op.NewRedirect(r.Client.LoginURL(request.id))
	request.browser = s.bindBrowser(r.Header, redirect.Header)
	s.storage.addRequest(request)
	return redirect, nil
}

func (s *Server) newRequest(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*Request, error) {
	client, ok := r.Client.(*Client)
	if !ok {
		return nil, oidc.ErrServerError()
	}
	data := r.Data
	switch {
	case !slices.Contains(client.Redirects, data.RedirectURI):
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("redirect_uri is not registered")
	case data.RequestParam != "":
		return nil, oidc.ErrRequestNotSupported()
	case data.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge_method must be S256")
	case !challengePattern.MatchString(data.CodeChallenge):
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge is missing or malformed")
	case data.State == "":
		return nil, oidc.ErrInvalidRequest().WithDescription("state is missing")
	case data.ResponseMode != "" && data.ResponseMode != oidc.ResponseModeQuery && data.ResponseMode != oidc.ResponseModeFormPost:
		return nil, oidc.ErrInvalidRequest().WithDescription("response_mode is not supported")
	}
	if _, err := op.ValidateAuthReqIDTokenHint(ctx, data.IDTokenHint, s.provider.IDTokenHintVerifier(ctx)); err != nil {
		return nil, err
	}
	// The library lets standard scopes pass without asking; the registration decides.
	scopes := slices.DeleteFunc(slices.Clone([]string(data.Scopes)), func(scope string) bool { return !client.IsScopeAllowed(scope) })
	if len(scopes) == 0 {
		return nil, oidc.ErrInvalidScope().WithDescription("no scope asked for is registered for this client")
	}
	extra, err := s.config.Profile.Authorize(r.Form, client, scopes)
	if err != nil {
		return nil, err
	}
	now := s.config.Now()
	return &Request{id: rand.Text(), clientID: client.ID, redirectURI: data.RedirectURI, state: data.State, nonce: data.Nonce,
		responseMode: data.ResponseMode, scopes: scopes, challenge: data.CodeChallenge, maxAge: data.MaxAge, prompt: data.Prompt,
		acrValues: data.ACRValues, created: now, expires: now.Add(requestLife), Context: extra}, nil
}

func (s *Server) browserCookie() string { return "__Host-sandbox-" + s.config.Name }

// bindBrowser ties a request to the browser it began in, so that nobody can have another
// browser sign in for a request of their own and collect the code.
func (s *Server) bindBrowser(in, out http.Header) string {
	if cookie, err := (&http.Request{Header: in}).Cookie(s.browserCookie()); err == nil && cookie.Value != "" {
		return cookie.Value
	}
	secret := rand.Text()
	cookie := &http.Cookie{Name: s.browserCookie(), Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	out.Add("Set-Cookie", cookie.String())
	return secret
}

// own returns a request that began in this browser.
func (s *Server) own(r *http.Request, id string) (*Request, bool) {
	request, err := s.storage.request(id)
	if err != nil {
		return nil, false
	}
	cookie, err := r.Cookie(s.browserCookie())
	if err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(request.browser)) != 1 {
		return nil, false
	}
	return request, true
}

// Pending returns a request of this browser that is still to be signed in for.
func (s *Server) Pending(r *http.Request, id string) (*Request, bool) {
	request, ok := s.own(r, id)
	if !ok || request.Done() {
		return nil, false
	}
	return request, true
}

// callback lets the library issue a code only to the browser the request began in.
func (s *Server) callback(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.own(r, r.URL.Query().Get("id")); !ok {
			http.Error(w, "This sign-in has expired or belongs to another browser.", http.StatusBadRequest)
			return
		}
		next(w, r)
	}
}

// proceed goes on with a stored request: straight through when the session is good enough,
// else by way of the sign-in page, which comes back here.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("request")
	request, ok := s.Pending(r, id)
	if !ok {
		http.Error(w, "This sign-in has expired or belongs to another browser. Start again from the application.", http.StatusBadRequest)
		return
	}
	session, signedIn := s.config.Sessions.Current(r.Header)
	if !signedIn || !s.fresh(request, session) {
		if slices.Contains(request.prompt, oidc.PromptNone) {
			op.AuthRequestError(w, r, request, oidc.ErrLoginRequired(), s.provider)
			return
		}
		here, err := url.Parse(s.config.Issuer + pathContinue)
		if err != nil {
			http.Error(w, "The server is not configured.", http.StatusInternalServerError)
			return
		}
		back := url.Values{"next": {here.Path + "?request=" + url.QueryEscape(id)}}
		if signedIn {
			back.Set("again", "1")
		}
		http.Redirect(w, r, s.config.LoginPage+"?"+back.Encode(), http.StatusFound)
		return
	}
	s.admit(w, r, request, session)
}

func (s *Server) admit(w http.ResponseWriter, r *http.Request, request *Request, session accounts.Session) {
	user, ok := s.config.Users.BySubject(session.Subject)
	if !ok {
		op.AuthRequestError(w, r, request, oidc.ErrAccessDenied(), s.provider)
		return
	}
	detour, err := s.config.Profile.Admit(request, user)
	if err != nil {
		op.AuthRequestError(w, r, request, err, s.provider)
		return
	}
	if detour != "" {
		http.Redirect(w, r, detour, http.StatusFound)
		return
	}
	acr := ACRPassword
	if session.AuthTime.After(request.created) {
		acr = ACRFresh
	}
	s.storage.complete(request, session, acr)
	http.Redirect(w, r, s.AuthCallbackURL()(op.ContextWithIssuer(r.Context(), s.config.Issuer), request.id), http.StatusFound)
}

// fresh reports whether the session satisfies max_age, prompt=login and the asked acr.
func (s *Server) fresh(r *Request, session accounts.Session) bool {
	entered := session.AuthTime.After(r.created)
	if entered {
		return true
	}
	// The library turns prompt=login into max_age=0, which no session satisfies.
	if slices.Contains(r.prompt, oidc.PromptSelectAccount) {
		return false
	}
	if slices.Contains(r.acrValues, ACRFresh) && !slices.Contains(r.acrValues, ACRPassword) {
		return false
	}
	return r.maxAge == nil || s.config.Now().Sub(session.AuthTime) <= time.Duration(*r.maxAge)*time.Second
}
