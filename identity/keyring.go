package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
)

// ErrNoOrganisation means that no organisation has this id.
var ErrNoOrganisation = errors.New("identity: no such organisation")

// Keyring gives the sealer of each organisation. It is safe for concurrent use.
type Keyring struct {
	db   *audit.DB
	keys *keys.Keys
	mu   sync.RWMutex
	open map[uuid.UUID]phi.Sealer
}

// NewKeyring makes a keyring over the wrapped data keys in the database.
func NewKeyring(db *audit.DB, k *keys.Keys) *Keyring {
	return &Keyring{db: db, keys: k, open: map[uuid.UUID]phi.Sealer{}}
}

// Organisation is one customer: a hospital, a practice.
type Organisation struct {
	ID       uuid.UUID
	Name     string
	TimeZone string // IANA name
}

// CreateOrganisation makes an organisation and its data key. zone is an IANA name; "" is UTC.
func (k *Keyring) CreateOrganisation(ctx context.Context, id uuid.UUID, name, zone string) error {
	if zone == "" {
		zone = "UTC"
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return fmt.Errorf("identity: %q is no time zone of the IANA database", zone)
	}
	plain, wrapped, err := k.keys.NewWrapped(ctx, organisationContext(id))
	if err != nil {
		return fmt.Errorf("identity: make the data key: %w", err)
	}
	keys.Wipe(plain)
	event := audit.Event{Action: "organisation.created", ObjectKind: "organisation", ObjectID: id.String()}
	return k.db.Do(ctx, audit.SystemActor(id), event, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, `insert into organisation (id, name, time_zone, wrapped_key, created_at) values ($1, $2, $3, $4, $5)`,
			id, name, zone, wrapped, tx.Now)
		return err
	})
}

// Organisation reads an organisation.
func (k *Keyring) Organisation(ctx context.Context, id uuid.UUID) (Organisation, error) {
	o := Organisation{ID: id}
	err := k.db.Read(ctx, id, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select name, time_zone from organisation where id = $1`, id).Scan(&o.Name, &o.TimeZone)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Organisation{}, ErrNoOrganisation
	}
	return o, err
}

// Sealer is what seals and opens the columns of org. The data key is unwrapped once and kept.
func (k *Keyring) Sealer(ctx context.Context, org uuid.UUID) (phi.Sealer, error) {
	k.mu.RLock()
	sealer, ok := k.open[org]
	k.mu.RUnlock()
	if ok {
		return sealer, nil
	}
	var wrapped []byte
	err := k.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select wrapped_key from organisation where id = $1`, org).Scan(&wrapped)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoOrganisation
	}
	if err != nil {
		return nil, fmt.Errorf("identity: read the data key: %w", err)
	}
	plain, err := k.keys.Unwrap(ctx, wrapped, organisationContext(org))
	if err != nil {
		return nil, fmt.Errorf("identity: open the data key: %w", err)
	}
	defer keys.Wipe(plain)
	sealer, err = keys.OrgSealer(plain)
	if err != nil {
		return nil, fmt.Errorf("identity: use the data key: %w", err)
	}
	k.mu.Lock()
	k.open[org] = sealer
	k.mu.Unlock()
	return sealer, nil
}

// Forget drops the kept sealer of org, after its data key was rotated.
func (k *Keyring) Forget(org uuid.UUID) {
	k.mu.Lock()
	delete(k.open, org)
	k.mu.Unlock()
}

func organisationContext(id uuid.UUID) []byte { return []byte("organisation/" + id.String()) }
