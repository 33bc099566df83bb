package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// Sessions knows who a cookie belongs to. Asking counts as use of the session.
type Sessions interface {
	Lookup(ctx context.Context, cookie string) (identity.Principal, error)
}

// Peeker is a Sessions that can also answer without counting it as use: a page that refreshes by itself must not keep
// an abandoned session alive.
type Peeker interface {
	Peek(ctx context.Context, cookie string) (identity.Principal, error)
}

// Trail records what the doors themselves refuse.
type Trail interface {
	Record(ctx context.Context, who audit.Actor, events ...audit.Event) error
}

// ProblemPages tells a problem in the reader's language: as a page, or as a sentence for a script to show.
type ProblemPages interface {
	Problem(c *gin.Context, p Problem)
	Sentence(c *gin.Context, p Problem) string
}

// Deps is what the engine needs.
type Deps struct {
	Origin         string   // where browsers reach us: https://host[:port]
	EHROrigins     []string // who may frame the pages of a launch
	SignOutOrigins []string // identity providers to which signing out leads
	TrustedProxies []string // networks whose X-Forwarded-For is believed; none by default
	Sessions       Sessions
	Trail          Trail
	Pages          ProblemPages
	Metrics        prometheus.Registerer
	Now            func() time.Time
	Log            *slog.Logger
}

// Engine is the server's HTTP handler.
type Engine struct {
	deps    Deps
	gin     *gin.Engine
	host    string
	routes  []Route
	metrics *metrics
	limiter *limiter
}

// New makes an engine without routes; hand it the registrars.
func New(d Deps, registrars ...Registrar) (*Engine, error) {
	origin, err := url.Parse(d.Origin)
	if err != nil || origin.Scheme != "https" || origin.Host == "" || origin.Path != "" {
		return nil, fmt.Errorf("the origin must look like https://host:port, not %q", d.Origin)
	}
	gin.SetMode(gin.ReleaseMode)
	e := &Engine{deps: d, gin: gin.New(), host: origin.Host, limiter: newLimiter(d.Now)}
	if e.metrics, err = newMetrics(d.Metrics); err != nil {
		return nil, err
	}
	if err := e.gin.SetTrustedProxies(d.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	e.gin.HandleMethodNotAllowed = true
	e.gin.RedirectFixedPath = false
	e.gin.RedirectTrailingSlash = false
	e.gin.Use(e.begin, e.observe, e.recovered, e.headers)
	e.gin.NoRoute(func(c *gin.Context) { Fail(c, ErrNotFound) })
	e.gin.NoMethod(func(c *gin.Context) { Fail(c, errMethod) })
	for _, r := range registrars {
		r.Register(e)
	}
	return e, nil
}

// ServeHTTP answers a request.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.gin.ServeHTTP(w, r) }
