package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/audit"
)

const (
	verifyEvery = time.Hour
	verifySlack = 15 * time.Minute
)

// seals checks the trail while the server runs, and keeps the last result for the compliance officer's page.
type seals struct {
	db      *audit.DB
	key     string
	archive audit.ArchiveReader
	orgs    []uuid.UUID
	log     *slog.Logger
	done    chan struct{}
	mu      sync.Mutex
	last    map[uuid.UUID]web.Verification
}

func newSeals(db *audit.DB, key string, archive audit.ArchiveReader, orgs []uuid.UUID, log *slog.Logger) *seals {
	return &seals{db: db, key: key, archive: archive, orgs: orgs, log: log, done: make(chan struct{}), last: map[uuid.UUID]web.Verification{}}
}

// run verifies at the start and every hour.
func (s *seals) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(verifyEvery)
	defer tick.Stop()
	for {
		for _, org := range s.orgs {
			s.verify(ctx, org)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *seals) verify(ctx context.Context, org uuid.UUID) {
	report, err := s.db.VerifyOrganisation(ctx, org, s.key, s.archive, verifySlack)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("the audit trail could not be verified", "org", org, "cause", audit.Safe(err))
		}
		return
	}
	v := web.Verification{Done: true, At: time.Now().UTC(), Rows: report.Rows, Pending: report.Pending}
	for _, f := range report.Findings {
		v.Findings = append(v.Findings, f.String())
		s.log.Error("the audit trail does not verify", "finding", f.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[org] = v
}

// LastVerification implements web.Seals.
func (s *seals) LastVerification(org uuid.UUID) web.Verification {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[org]
}

// Seal implements web.Seals.
func (s *seals) Seal(ctx context.Context, org uuid.UUID, event int64) (web.SealState, error) {
	p, err := s.db.Prove(ctx, org, event, s.key)
	if err != nil {
		return web.SealState{}, err
	}
	return web.SealState{Sealed: p.Sealed, Leaf: p.Leaf, Checkpoint: p.Checkpoint, SealedAt: p.SealedAt, Archived: p.Archived,
		Verified: p.Included, LeafHash: hexOf(p.LeafHash), Root: hexOf(p.Root)}, nil
}

func hexOf(encoded string) string {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(raw)
}
