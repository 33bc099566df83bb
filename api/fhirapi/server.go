package fhirapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// Verifier knows whose bearer token this is and which SMART scopes it carries. Its error means 401, or 502 or 503 where
// package api knows it as the failure of a system that is needed.
type Verifier interface {
	Verify(ctx context.Context, token string) (identity.Principal, []string, error)
}

// Visits are the commands and queries of scheduling.
type Visits interface {
	Book(ctx context.Context, who audit.Actor, b scheduling.Booking) (scheduling.VisitView, error)
	Move(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, start, end time.Time) (scheduling.VisitView, error)
	Cancel(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, reason string) (visit.State, error)
	Visit(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.VisitView, error)
	Patient(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.PatientView, error)
}

// Sessions knows who a cookie belongs to.
type Sessions interface {
	Lookup(ctx context.Context, cookie string) (identity.Principal, error)
}

// Staff reads the people who work for the organisation.
type Staff interface {
	Staff(ctx context.Context, who audit.Actor, id uuid.UUID) (identity.Staff, error)
}

// Directory finds whom a reference to an EHR's resource means ("https://ehr.example/fhir/Patient/1"); a patient who is
// not known yet may be fetched there. The error ErrUnknownReference means that it names nobody we can find.
type Directory interface {
	Patient(ctx context.Context, who audit.Actor, reference phi.Text) (uuid.UUID, error)
	Practitioner(ctx context.Context, who audit.Actor, reference phi.Text) (uuid.UUID, error)
}

// Config of the FHIR API.
type Config struct {
	Origin    string // our own: https://host[:port]
	Version   string // of the software
	Built     time.Time
	Verifier  Verifier
	Sessions  Sessions
	Visits    Visits
	Staff     Staff
	Directory Directory
	DB        *audit.DB
	Sealers   scheduling.Sealers
}

// Server answers FHIR requests.
type Server struct {
	Config
	base string
}

// New makes the FHIR API; hand it to api.New.
func New(c Config) *Server { return &Server{Config: c, base: c.Origin + "/fhir"} }

// door is one interaction of the API.
type door struct {
	method, path string
	resource     string // "" for the system itself
	interaction  string // R4 restful-interaction code; "" is not declared
	permission   permission
	action       identity.Action
	session      bool // a signed-in session may pass too
	handle       gin.HandlerFunc
}

func (s *Server) doors() []door {
	const appointment, auditEvent = "Appointment", "AuditEvent"
	return []door{
		{http.MethodGet, "/fhir/metadata", "", "capabilities", 0, api.Public, false, s.metadata},
		{http.MethodPost, "/fhir/Appointment", appointment, "create", create, identity.FHIRWrite, false, s.createAppointment},
		{http.MethodGet, "/fhir/Appointment", appointment, "search-type", search, identity.FHIRRead, false, s.searchAppointments},
		{http.MethodPost, "/fhir/Appointment/_search", appointment, "search-type", search, identity.FHIRRead, false, s.searchAppointments},
		{http.MethodGet, "/fhir/Appointment/:id", appointment, "read", read, identity.FHIRRead, false, s.readAppointment},
		{http.MethodGet, "/fhir/Appointment/:id/_history/:version", appointment, "", read, identity.FHIRRead, false, s.readAppointment},
		{http.MethodPut, "/fhir/Appointment/:id", appointment, "update", update, identity.FHIRWrite, false, s.updateAppointment},
		{http.MethodPatch, "/fhir/Appointment/:id", appointment, "patch", update, identity.FHIRWrite, false, s.patchAppointment},
		{http.MethodGet, "/fhir/Patient/:id", "Patient", "read", read, identity.FHIRRead, false, s.readPatient},
		{http.MethodGet, "/fhir/Practitioner/:id", "Practitioner", "read", read, identity.FHIRRead, false, s.readPractitioner},
		{http.MethodGet, "/fhir/AuditEvent", auditEvent, "search-type", search, identity.FHIRAuditSearch, true, s.searchTrail},
		{http.MethodGet, "/fhir/AuditEvent/:id", auditEvent, "read", read, identity.FHIRAuditSearch, true, s.readTrail},
	}
}

// Register implements api.Registrar.
func (s *Server) Register(routes api.Routes) {
	for _, d := range s.doors() {
		route := api.Route{Method: d.method, Path: d.path, Action: d.action, Answers: api.FHIR, Bearer: true, Limit: &api.Limit{Name: "fhir", Every: 20 * time.Millisecond, Burst: 200}}
		routes.HandleRoute(route, negotiate, s.enter(d), d.handle)
	}
}

func (s *Server) metadata(c *gin.Context) {
	write(c, http.StatusOK, fhir.Capability(s.capability()))
}

// capability is made from the doors, so that it promises exactly what there is.
func (s *Server) capability() fhir.Server {
	out := fhir.Server{URL: s.base, Version: s.Version, Date: s.Built}
	at := map[string]int{}
	for _, d := range s.doors() {
		if d.resource == "" {
			continue
		}
		i, known := at[d.resource]
		if !known {
			i = len(out.Resources)
			at[d.resource] = i
			out.Resources = append(out.Resources, fhir.ServedResource{Type: d.resource, Search: searchParams(d.resource)})
		}
		r := &out.Resources[i]
		if d.interaction != "" && !strings.HasSuffix(d.path, "/_search") {
			r.Interactions = append(r.Interactions, d.interaction)
		}
		r.IfMatch = r.IfMatch || d.permission == update
	}
	return out
}
