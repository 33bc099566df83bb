package fhirapi

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

const (
	mediaType = "application/fhir+json"
	patchType = "application/json-patch+json"
	// sessionCookie is the one that package api sets.
	sessionCookie = "__Host-televisit"
)

// enter finds out who asks, and whether that client may pass this door at all.
func (s *Server) enter(d door) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		if d.action == api.Public {
			return
		}
		principal, err := s.authenticate(c, d)
		if unavailable(err) {
			fail(c, err)
			return
		}
		if err != nil {
			c.Header("WWW-Authenticate", `Bearer realm="televisit"`+challenge(c))
			fail(c, err)
			return
		}
		api.SetPrincipal(c, principal)
		if principal.Kind == audit.Client && !permits(principal.Scopes, d.resource, d.permission) {
			c.Header("WWW-Authenticate", `Bearer realm="televisit", error="insufficient_scope"`)
			s.refused(c, d, "insufficient-scope")
			fail(c, &problem{status: http.StatusForbidden, code: "forbidden", text: "the token's scopes do not allow this interaction"})
			return
		}
		if err := api.Allow(c, d.action, identity.Resource{}); err != nil {
			fail(c, err)
		}
	}
}

func (s *Server) authenticate(c *gin.Context, d door) (identity.Principal, error) {
	header := c.GetHeader("Authorization")
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "Bearer") {
		principal, scopes, err := s.Verifier.Verify(c.Request.Context(), token)
		if unavailable(err) {
			return identity.Principal{}, err
		}
		if err != nil {
			return identity.Principal{}, errUnauthorized
		}
		principal.Kind, principal.Scopes = audit.Client, scopes
		return principal, nil
	}
	if d.session && header == "" {
		for _, cookie := range c.Request.CookiesNamed(sessionCookie) {
			if principal, err := s.Sessions.Lookup(c.Request.Context(), cookie.Value); err == nil {
				return principal, nil
			}
		}
	}
	return identity.Principal{}, errUnauthorized
}

// unavailable tells an issuer that could not be asked from a token that it does not know: the client should keep its
// token and try again.
func unavailable(err error) bool {
	if err == nil {
		return false
	}
	status := api.ProblemOf(err).Status
	return status == http.StatusServiceUnavailable || status == http.StatusBadGateway
}

// challenge tells a client whose token was refused from one that brought none (RFC 6750 section 3).
func challenge(c *gin.Context) string {
	if c.GetHeader("Authorization") != "" {
		return `, error="invalid_token"`
	}
	return ""
}

func (s *Server) refused(c *gin.Context, d door, code string) {
	event := audit.Event{Action: "access.refused", Outcome: audit.Refused, Detail: map[string]any{"wanted": string(d.action), "route": c.FullPath(), "code": code}}
	if err := s.DB.Record(c.Request.Context(), api.ActorOf(c), event); err != nil {
		fail(c, err)
	}
}

// negotiate refuses what we cannot answer in, or cannot read (R4 http.html, content types).
func negotiate(c *gin.Context) {
	if !acceptable(c.Request.Header.Values("Accept"), c.Query("_format")) {
		fail(c, &problem{status: http.StatusNotAcceptable, code: "not-supported", text: "answers are " + mediaType + ", FHIR version 4.0"})
		return
	}
	wanted := []string{mediaType, "application/json"}
	switch {
	case c.Request.Method == http.MethodPatch:
		wanted = []string{patchType}
	case strings.HasSuffix(c.FullPath(), "/_search"):
		wanted = []string{"application/x-www-form-urlencoded"}
	case c.Request.Method != http.MethodPost && c.Request.Method != http.MethodPut:
		return
	}
	if !readable(c.GetHeader("Content-Type"), wanted) {
		fail(c, &problem{status: http.StatusUnsupportedMediaType, code: "not-supported", text: "the Content-Type must be " + wanted[0]})
	}
}

func acceptable(accept []string, format string) bool {
	if format != "" {
		return ours(strings.ReplaceAll(format, " ", "+")) || format == "json"
	}
	all := strings.Join(accept, ",")
	if strings.TrimSpace(all) == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(all, ","), ours)
}

func ours(value string) bool {
	kind, params, err := mime.ParseMediaType(value)
	if err != nil || params["q"] == "0" || !versionOK(params) {
		return false
	}
	return slices.Contains([]string{mediaType, "application/json", "*/*", "application/*"}, kind)
}

func readable(value string, wanted []string) bool {
	kind, params, err := mime.ParseMediaType(value)
	if err != nil || !versionOK(params) || !slices.Contains(wanted, kind) {
		return false
	}
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

func versionOK(params map[string]string) bool {
	v, given := params["fhirversion"]
	return !given || v == "4.0"
}

func write(c *gin.Context, status int, body []byte) {
	c.Data(status, mediaType+"; fhirVersion=4.0; charset=utf-8", body)
}

func versionHeaders(c *gin.Context, version int64, at time.Time) {
	c.Header("ETag", etag(version))
	c.Header("Last-Modified", at.UTC().Format(http.TimeFormat))
}

func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

var errNoIfMatch = &problem{status: http.StatusBadRequest, code: "required", text: "If-Match must name the version that is to be changed"}

// ifMatch is the version that the client changes.
func ifMatch(c *gin.Context) (int64, error) {
	value := strings.TrimPrefix(strings.TrimSpace(c.GetHeader("If-Match")), "W/")
	if value == "" {
		return 0, errNoIfMatch
	}
	version, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64)
	if err != nil || version < 1 || len(value) < 3 || value[0] != '"' || value[len(value)-1] != '"' {
		return 0, errStale
	}
	return version, nil
}

// preferred is the value of a Prefer token (RFC 7240), or "".
func preferred(c *gin.Context, name string) string {
	for _, header := range c.Request.Header.Values("Prefer") {
		for _, part := range strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ';' }) {
			if key, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && strings.EqualFold(key, name) {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}

// body reads what the client sent. The engine bounds it.
func body(c *gin.Context) ([]byte, error) {
	raw, err := c.GetRawData()
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, &problem{status: http.StatusBadRequest, code: "incomplete", text: "the body could not be read"}
	}
	return raw, err
}
