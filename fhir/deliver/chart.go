package deliver

import (
	"context"
	"net/url"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// Chart is one EHR, seen by the write-back. Errors that are an answer of the EHR are *Refusal; any other error means
// that no answer came.
type Chart interface {
	// Offers tells what the EHR's CapabilityStatement says of a resource type.
	Offers(ctx context.Context, resourceType string) (Offer, error)
	Read(ctx context.Context, ref phi.Text) (Held, error)
	Search(ctx context.Context, resourceType string, query url.Values) ([]Held, error)
	// Create sends If-None-Exist when ifNoneExist is not nil.
	Create(ctx context.Context, resourceType string, ifNoneExist url.Values, body []byte) (Answer, error)
	Update(ctx context.Context, ref phi.Text, etag string, body []byte) (Answer, error)
	// Renew gets other credentials after the EHR refused these with a status of 401 or 403; false when there are none.
	Renew(ctx context.Context, status int) bool
}

// Charts opens the EHR of a visit, with the clinician's grant while it is valid, else with the server's own access.
type Charts interface {
	Open(ctx context.Context, v scheduling.VisitView) (Chart, Profile, error)
}

// Offer is what may be done with a resource type.
type Offer struct {
	Create, Update, ConditionalCreate bool
}

// Held is a resource as the EHR holds it.
type Held struct {
	Reference phi.Text // "Type/id"
	ETag      string
	Raw       []byte
}

// Answer is that of a write.
type Answer struct {
	Status    int
	Reference phi.Text // "Type/id", may be empty
	ETag      string
	RequestID string
}

// Refusal is an EHR's answer that is no success.
type Refusal struct {
	Status    int
	RequestID string
	Codes     []string // issue codes of its OperationOutcome
}

func (r *Refusal) Error() string { return "the EHR refused with status " + statusText(r.Status) }

// Code is what a job's log shows.
func (r *Refusal) Code() string { return "ehr-" + statusText(r.Status) }

// Profile is how an EHR wants its documents, beyond what its CapabilityStatement says.
type Profile struct {
	Organization  phi.Text // "Organization/id" that we write for, or empty
	PlainTextOnly bool     // takes one text/plain content
	NoAuthor      bool     // takes the author from the token
	NoteType      string   // LOINC code of notes; "" for a progress note
	NoteDisplay   string
}

// Visits are scheduling's queries and commands of deliveries.
type Visits interface {
	Delivery(ctx context.Context, org, id uuid.UUID) (scheduling.DeliveryView, error)
	ForWork(ctx context.Context, org, id uuid.UUID) (scheduling.VisitView, error)
	RecordDelivery(ctx context.Context, who Actor, id uuid.UUID, result scheduling.DeliveryResult, ledger Ledger) error
}
