package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/identity"
)

// Public is the action of a route that needs nobody to be signed in.
const Public identity.Action = ""

// Answers says in which form a route's errors are told.
type Answers string

// The forms.
const (
	HTML Answers = "html"
	JSON Answers = "json"
	FHIR Answers = "fhir" // OperationOutcome
)

// Route is one door: what it is called and which action it takes to pass.
type Route struct {
	Method  string
	Path    string // gin's template, such as /visits/:id
	Action  identity.Action
	Answers Answers
	Bearer  bool   // the handlers authenticate a bearer token themselves; no cookie is read
	Stream  bool   // stays open: kept out of the histogram of durations
	Limit   *Limit // how often one caller may knock
	Body    int64  // largest body in bytes; 0 means 1 MiB
}

// Routes is where handlers register.
type Routes interface {
	// Handle registers a route with the usual settings for its path.
	Handle(method, path string, action identity.Action, handlers ...gin.HandlerFunc)
	// HandleRoute registers a route as given.
	HandleRoute(route Route, handlers ...gin.HandlerFunc)
}

// Registrar is a set of handlers that knows its routes.
type Registrar interface{ Register(Routes) }

const defaultBody = 1 << 20

// Handle registers a route with the usual settings for its path.
func (e *Engine) Handle(method, path string, action identity.Action, handlers ...gin.HandlerFunc) {
	e.HandleRoute(Route{Method: method, Path: path, Action: action}, handlers...)
}

// HandleRoute registers a route as given.
func (e *Engine) HandleRoute(r Route, handlers ...gin.HandlerFunc) {
	if r.Answers == "" {
		r.Answers = HTML
		if strings.HasPrefix(r.Path, "/fhir") {
			r.Answers = FHIR
		}
	}
	if r.Body == 0 {
		r.Body = defaultBody
	}
	e.routes = append(e.routes, r)
	chain := []gin.HandlerFunc{e.enter(r)}
	if r.Limit != nil {
		chain = append(chain, e.limited(r))
	}
	if !r.Bearer {
		chain = append(chain, e.sameOrigin, e.session(r))
	}
	e.gin.Handle(r.Method, r.Path, append(chain, handlers...)...)
}

// Routes lists what is registered, in order.
func (e *Engine) Routes() []Route { return e.routes }

// enter notes the route for the error table and bounds the body.
func (e *Engine) enter(r Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Set(keyRoute, r)
		if c.Request.Body != nil {
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, r.Body)
		}
	}
}
