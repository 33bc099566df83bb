package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof says where an event stands in its organisation's log.
type Proof struct {
	Sealed     bool
	Leaf       int64
	LeafHash   string // base64
	Root       string // base64, as the checkpoint signs it
	Checkpoint int64  // how many leaves the checkpoint covers
	SealedAt   time.Time
	Archived   bool
	Included   bool // the row as it is now is proven to be in the signed checkpoint
}

// Prove finds an event's leaf and checks the row against the smallest signed checkpoint that covers it, by an
// inclusion proof (RFC 6962, section 2.1.1).
func (d *DB) Prove(ctx context.Context, org uuid.UUID, event int64, verifierKey string) (Proof, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Proof{}, fmt.Errorf("the audit verification key cannot be read: %w", err)
	}
	var p Proof
	err = d.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		var signed string
		err := tx.QueryRow(ctx, `select l.leaf_index, c.tree_size, c.signed, c.sealed_at, c.archived from audit_leaf l
			join lateral (select * from audit_checkpoint c where c.org_id = l.org_id and c.tree_size > l.leaf_index order by c.tree_size limit 1) c on true
			where l.event_id = $1`, event).Scan(&p.Leaf, &p.Checkpoint, &signed, &p.SealedAt, &p.Archived)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		p.Sealed = true
		return p.check(ctx, tx, org, event, signed, verifier)
	})
	return p, err
}

func (p *Proof) check(ctx context.Context, tx pgx.Tx, org uuid.UUID, event int64, signed string, verifier note.Verifier) error {
	rows, err := tx.Query(ctx, `select `+rowColumns+` from audit_event e where e.id = $1`, event)
	if err != nil {
		return err
	}
	row, err := pgx.CollectExactlyOneRow(rows, scanRow)
	if err != nil {
		return err
	}
	data, err := row.leafData()
	if err != nil {
		return err
	}
	hashes := storedHashes(ctx, tx, org)
	root, err := tlog.TreeHash(p.Checkpoint, hashes)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(p.Checkpoint, p.Leaf, hashes)
	if err != nil {
		return err
	}
	leaf := tlog.RecordHash(data)
	p.LeafHash, p.Root = leaf.String(), root.String()
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	p.Included = err == nil && opened.Text == checkpointText(org, p.Checkpoint, root) &&
		tlog.CheckRecord(proof, p.Checkpoint, root, p.Leaf, leaf) == nil
	return nil
}

// VerifyOrganisation is Verify for one organisation, from within the server: row-level security shows it that
// organisation's rows and no others.
func (d *DB) VerifyOrganisation(ctx context.Context, org uuid.UUID, verifierKey string, archive ArchiveReader, slack time.Duration) (Report, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Report{}, fmt.Errorf("the audit verification key cannot be read: %w", err)
	}
	report := Report{Organisations: 1}
	err = d.inTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, org, func(tx pgx.Tx) error {
		check := orgCheck{org: org, tx: tx, verifier: verifier, archive: archive, slack: slack, report: &report}
		return check.run(ctx)
	})
	return report, err
}
