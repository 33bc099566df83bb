package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// Tokens gives access tokens: of a clinician's launch, or of the server itself (SMART Backend Services).
type Tokens interface {
	GrantToken(ctx context.Context, org, grant uuid.UUID) (string, time.Time, error)
	BackendToken(ctx context.Context, ehr string) (string, time.Time, error)
	ForgetBackendToken(ehr string)
}

// Connection is an EHR that visits are delivered to.
type Connection struct {
	Base    string // FHIR base
	Vendor  string // generic, epic, oracle, athena
	Profile Profile
}

// VendorProfile is what is known of how a vendor's EHR takes documents. The names are those of package ehr.
func VendorProfile(vendor string) Profile {
	switch vendor {
	case "epic": // reads the first attachment only; the author is whoever the token is
		return Profile{PlainTextOnly: true, NoAuthor: true}
	case "oracle", "athena": // exactly one content
		return Profile{PlainTextOnly: true}
	}
	return Profile{}
}

// EHRs opens the configured EHRs. It implements Charts.
type EHRs struct {
	Connections map[string]Connection // by the EHR's name
	HTTP        *http.Client
	Tokens      Tokens
	DB          *audit.DB
	Now         func() time.Time
	Log         *slog.Logger

	mu     sync.Mutex
	public map[string]*ehr.Client // reads the CapabilityStatement, and remembers it
}

var errNoConnection = errors.New("no EHR of this name is configured")

// Open implements Charts.
func (e *EHRs) Open(ctx context.Context, v scheduling.VisitView) (Chart, Profile, error) {
	connection, ok := e.Connections[v.EHR]
	if !ok {
		return nil, Profile{}, errNoConnection
	}
	public, err := e.anonymous(v.EHR, connection)
	if err != nil {
		return nil, Profile{}, err
	}
	c := &openChart{ehrs: e, name: v.EHR, org: v.Org, public: public}
	if c.grant, err = e.grant(ctx, v); err != nil {
		return nil, Profile{}, err
	}
	c.client, err = e.client(connection, c.token)
	return c, connection.Profile, err
}

func (e *EHRs) anonymous(name string, c Connection) (*ehr.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.public[name]; known != nil {
		return known, nil
	}
	made, err := e.client(c, func(context.Context) (string, error) { return "", errNoConnection })
	if err != nil {
		return nil, err
	}
	if e.public == nil {
		e.public = map[string]*ehr.Client{}
	}
	e.public[name] = made
	return made, nil
}

func (e *EHRs) client(c Connection, token func(context.Context) (string, error)) (*ehr.Client, error) {
	return ehr.New(ehr.Config{Base: c.Base, HTTP: e.HTTP, Token: token, Profile: c.Vendor, Now: e.Now, Log: e.Log})
}

// grant is the clinician's newest launch at this EHR that is not revoked, the one of this very visit first.
func (e *EHRs) grant(ctx context.Context, v scheduling.VisitView) (id uuid.UUID, err error) {
	err = e.DB.Read(ctx, v.Org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select id from ehr_grant where staff_id = $1 and ehr = $2 and revoked_at is null
			order by (visit_id is not distinct from $3::uuid) desc, updated_at desc limit 1`, v.Clinician.ID, v.EHR, v.ID).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

// openChart is one EHR with the credentials of one attempt.
type openChart struct {
	ehrs   *EHRs
	name   string
	org    uuid.UUID
	grant  uuid.UUID // zero: the server's own access
	client *ehr.Client
	public *ehr.Client
}

// token prefers the clinician's grant, so that the chart names the clinician as the writer.
func (c *openChart) token(ctx context.Context) (string, error) {
	if c.grant != uuid.Nil {
		token, _, err := c.ehrs.Tokens.GrantToken(ctx, c.org, c.grant)
		if err == nil || ctx.Err() != nil {
			return token, err
		}
		c.grant = uuid.Nil
	}
	token, _, err := c.ehrs.Tokens.BackendToken(ctx, c.name)
	return token, err
}

// Renew implements Chart.
func (c *openChart) Renew(_ context.Context, status int) bool {
	if c.grant != uuid.Nil {
		c.grant = uuid.Nil
		return true
	}
	if status != http.StatusUnauthorized {
		return false
	}
	c.ehrs.Tokens.ForgetBackendToken(c.name)
	return true
}

// Offers implements Chart.
func (c *openChart) Offers(ctx context.Context, resourceType string) (Offer, error) {
	can, err := c.public.Capability(ctx)
	return Offer{
		Create: can.Can(resourceType, "create"), Update: can.Can(resourceType, "update"),
		ConditionalCreate: can.Types[resourceType].ConditionalCreate,
	}, refusal(err)
}

// Read implements Chart.
func (c *openChart) Read(ctx context.Context, ref phi.Text) (Held, error) {
	r, err := c.client.Read(ctx, ref.Reveal())
	return held(r), refusal(err)
}

// Search implements Chart.
func (c *openChart) Search(ctx context.Context, resourceType string, query url.Values) ([]Held, error) {
	found, err := c.client.Search(ctx, resourceType, query)
	out := make([]Held, len(found))
	for i, r := range found {
		out[i] = held(r)
	}
	return out, refusal(err)
}

func held(r ehr.Resource) Held {
	return Held{Reference: phi.NewText(r.Reference()), ETag: r.ETag, Raw: r.Raw}
}

// Create implements Chart.
func (c *openChart) Create(ctx context.Context, resourceType string, ifNoneExist url.Values, body []byte) (Answer, error) {
	out, err := c.client.CreateConditional(ctx, resourceType, ifNoneExist, body)
	return answered(out), refusal(err)
}

// Update implements Chart.
func (c *openChart) Update(ctx context.Context, ref phi.Text, etag string, body []byte) (Answer, error) {
	out, err := c.client.Update(ctx, ref.Reveal(), etag, body)
	return answered(out), refusal(err)
}

func answered(o ehr.Outcome) Answer {
	return Answer{Status: o.Status, Reference: phi.NewText(o.Location), ETag: o.ETag, RequestID: o.RequestID}
}

// refusal turns what the client tells apart into what the write-back acts on. Without a status no answer came.
func refusal(err error) error {
	var (
		transient    *ehr.Transient
		permanent    *ehr.Permanent
		notFound     *ehr.NotFound
		conflict     *ehr.Conflict
		unauthorized *ehr.Unauthorized
		forbidden    *ehr.Forbidden
		p            ehr.Problem
	)
	switch {
	case errors.As(err, &forbidden): // also vendors' codes for a protected chart, whatever their status
		p = forbidden.Problem
		p.Status = http.StatusForbidden
	case errors.As(err, &unauthorized):
		p = unauthorized.Problem
	case errors.As(err, &notFound):
		p = notFound.Problem
	case errors.As(err, &conflict):
		p = conflict.Problem
	case errors.As(err, &permanent):
		p = permanent.Problem
		if p.Status == 0 {
			p.Status = http.StatusBadRequest // our own request was not fit to be sent
		}
	case errors.As(err, &transient):
		p = transient.Problem
	default:
		return err
	}
	if p.Status < 300 {
		return err
	}
	return &Refusal{Status: p.Status, RequestID: p.RequestID, Codes: append(append([]string(nil), p.Codes...), p.Vendor...)}
}
