package scheduling

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

// Sealers gives what seals and opens the columns of an organisation.
type Sealers interface {
	Sealer(ctx context.Context, org uuid.UUID) (phi.Sealer, error)
}

// Enqueuer adds a job inside a transaction.
type Enqueuer interface {
	Insert(ctx context.Context, tx pgx.Tx, kind job.Kind, org, id uuid.UUID, at time.Time) error
}

// DataKeys makes the data key of a recording.
type DataKeys interface {
	NewWrapped(ctx context.Context, aad []byte) (plain, wrapped []byte, err error)
}

// Watcher is told of each change of a visit's state after it is committed, in this process.
type Watcher interface {
	VisitChanged(Change)
}

// Change is what a command did to a visit.
type Change struct {
	Org, Visit, Room uuid.UUID
	Recording        uuid.UUID // the visit's latest recording, or zero
	Before, After    visit.State
	EndReason        string
}

// Config of the service.
type Config struct {
	DB      *audit.DB
	Sealers Sealers
	Jobs    Enqueuer
	Keys    DataKeys
	Watcher Watcher          // optional
	Now     func() time.Time // the clock of what is not written: free times, expected waits
}

// Service runs the commands and queries. It is safe for concurrent use.
type Service struct {
	db      *audit.DB
	sealers Sealers
	jobs    Enqueuer
	keys    DataKeys
	watcher Watcher
	now     func() time.Time
}

// New makes the service.
func New(c Config) *Service {
	return &Service{db: c.DB, sealers: c.Sealers, jobs: c.Jobs, keys: c.Keys, watcher: c.Watcher, now: c.Now}
}
