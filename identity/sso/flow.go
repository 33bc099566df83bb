package sso

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/identity/phi"
)

const flowLifetime = 10 * time.Minute

// flow is a sign-in under way. What has to stay secret is sealed as JSON.
type flow struct {
	Verifier   string `json:"verifier"`
	Nonce      string `json:"nonce"`
	Issuer     string `json:"issuer"` // as discovered when the flow began: another one at its end is a mix-up
	Launch     string `json:"launch,omitempty"`
	ReturnPath string `json:"returnPath,omitempty"`
	MaxAge     int    `json:"maxAge,omitempty"` // seconds; 0: none asked for

	browser string
}

func (s *SSO) saveFlow(ctx context.Context, p *peer, state string, f flow) error {
	sealer, err := s.keyring.Sealer(ctx, p.org)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("sso: encode a flow: %w", err)
	}
	hash := digest(state)
	sealed, err := phi.SealText(sealer, phi.NewText(string(encoded)), flowRow(hash))
	if err != nil {
		return err
	}
	kind := "sso"
	if p.smart {
		kind = "smart-ehr"
	}
	now := s.now().UTC()
	return s.db.Housekeep(ctx, p.org, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into login_flow (state_hash, org_id, kind, connection, browser_hash, secrets_sealed, created_at, expires_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8)`, hash, p.org, kind, p.name, digest(f.browser), sealed, now, now.Add(flowLifetime))
		if err != nil {
			return fmt.Errorf("sso: save a flow: %w", err)
		}
		// Old ones are kept a day so that a replay is told from an invention; skip what another sign-in is deleting.
		_, err = tx.Exec(ctx, `delete from login_flow where state_hash in
			(select state_hash from login_flow where expires_at < $1 limit 20 for update skip locked)`, now.Add(-24*time.Hour))
		return err
	})
}

// takeFlow uses a state up: once, in time, and only by the browser that began it. Another browser's try does not use
// it up, so that nobody can spoil a sign-in that is not theirs.
func (s *SSO) takeFlow(ctx context.Context, state, browser string) (*peer, flow, error) {
	hash := digest(state)
	org, err := s.orgOfFlow(ctx, hash)
	if err != nil {
		return nil, flow{}, err
	}
	var kind, connection string
	var browserHash, sealed []byte
	var expires time.Time
	var used *time.Time
	var refused error
	now := s.now().UTC()
	err = s.db.Housekeep(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select kind, connection, browser_hash, secrets_sealed, expires_at, used_at from login_flow
			where state_hash = $1 for update`, hash).Scan(&kind, &connection, &browserHash, &sealed, &expires, &used)
		if errors.Is(err, pgx.ErrNoRows) {
			refused = refuse("state-unknown", "")
			return nil
		}
		if err != nil {
			return fmt.Errorf("sso: take a flow: %w", err)
		}
		switch {
		case subtle.ConstantTimeCompare(browserHash, digest(browser)) != 1:
			refused = refuse("state-foreign-browser", "")
		case used != nil:
			refused = refuse("state-used", "")
		case !now.Before(expires):
			refused = refuse("state-expired", "")
		default:
			_, err = tx.Exec(ctx, `update login_flow set used_at = $2 where state_hash = $1`, hash, now)
		}
		return err
	})
	p := s.byName(connection, kind != "sso")
	if err = errors.Join(refused, err); err != nil {
		return p, flow{}, err
	}
	if p == nil || p.org != org {
		return nil, flow{}, refuse("state-unknown", "the connection is no longer configured")
	}
	f, err := s.openFlow(ctx, org, hash, sealed)
	return p, f, err
}

func (s *SSO) openFlow(ctx context.Context, org uuid.UUID, hash, sealed []byte) (flow, error) {
	sealer, err := s.keyring.Sealer(ctx, org)
	if err != nil {
		return flow{}, err
	}
	text, err := phi.OpenText(sealer, sealed, flowRow(hash))
	if err != nil {
		return flow{}, err
	}
	var f flow
	if err := json.Unmarshal([]byte(text.Reveal()), &f); err != nil {
		return flow{}, errors.New("sso: a stored flow cannot be read")
	}
	return f, nil
}

func (s *SSO) orgOfFlow(ctx context.Context, hash []byte) (uuid.UUID, error) {
	var org *uuid.UUID
	err := s.db.Read(ctx, uuid.Nil, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select login_flow_org($1)`, hash).Scan(&org)
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("sso: find a flow: %w", err)
	}
	if org == nil {
		return uuid.Nil, refuse("state-unknown", "")
	}
	return *org, nil
}

// flowRow names the row by the beginning of its key, which is as good as random.
func flowRow(hash []byte) phi.Row {
	return phi.Row{Table: "login_flow", Column: "secrets", ID: uuid.UUID(hash[:16])}
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
