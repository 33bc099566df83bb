package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Finding is one thing wrong with the trail.
type Finding struct {
	Org     uuid.UUID
	EventID int64 // the row; 0 when the finding is about the log as a whole
	Problem string
}

func (f Finding) String() string {
	if f.EventID == 0 {
		return fmt.Sprintf("organisation %s: %s", f.Org, f.Problem)
	}
	return fmt.Sprintf("audit_event row %d (organisation %s): %s", f.EventID, f.Org, f.Problem)
}

// Report is the result of a verification.
type Report struct {
	Organisations int
	Rows          int64 // sealed rows that were checked
	Pending       int64 // committed, not yet sealed
	Checkpoints   int64
	Findings      []Finding
}

// ArchiveReader reads what the sealer archived; ok is false when there is no such object.
type ArchiveReader interface {
	Fetch(ctx context.Context, key string) (body []byte, ok bool, err error)
}

// Verify reads the whole trail as the schema's owner (row-level security must not hide rows) and compares every row
// with the log, every checkpoint with the log and its signature, and the archive, when given, with both.
// slack bounds how long before its sealing an event may have been recorded: transactions are short.
func Verify(ctx context.Context, conn *pgx.Conn, verifierKey string, archive ArchiveReader, slack time.Duration) (Report, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Report{}, fmt.Errorf("the audit verification key cannot be read: %w", err)
	}
	var report Report
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select id from organisation order by id")
		if err != nil {
			return err
		}
		orgs, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		for _, org := range orgs {
			check := orgCheck{org: org, tx: tx, verifier: verifier, archive: archive, slack: slack, report: &report}
			if err := check.run(ctx); err != nil {
				return err
			}
		}
		report.Organisations = len(orgs)
		return nil
	})
	return report, err
}

type orgCheck struct {
	org      uuid.UUID
	tx       pgx.Tx
	verifier note.Verifier
	archive  ArchiveReader
	slack    time.Duration
	report   *Report
	leaves   []tlog.Hash
	events   []int64
	sealedAt map[int64]time.Time // tree size -> when
	sizes    []int64
}

func (c *orgCheck) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.checkpoints, c.rows, c.log, c.unsealed, c.archived} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *orgCheck) found(event int64, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, Finding{Org: c.org, EventID: event, Problem: fmt.Sprintf(format, args...)})
}

// rows compares each sealed row with its leaf.
func (c *orgCheck) rows(ctx context.Context) error {
	found, err := c.tx.Query(ctx, "select leaf_index, event_id, leaf_hash from audit_leaf where org_id = $1 order by leaf_index", c.org)
	if err != nil {
		return err
	}
	type leaf struct {
		Index, Event int64
		Hash         []byte
	}
	leaves, err := pgx.CollectRows(found, pgx.RowToStructByPos[leaf])
	if err != nil {
		return err
	}
	byID, err := c.eventsByID(ctx)
	if err != nil {
		return err
	}
	for i, l := range leaves {
		if l.Index != int64(i) {
			c.found(l.Event, "a row of the log is missing before leaf %d", l.Index)
			return nil
		}
		var hash tlog.Hash
		copy(hash[:], l.Hash)
		c.leaves, c.events = append(c.leaves, hash), append(c.events, l.Event)
		row, there := byID[l.Event]
		if !there {
			c.found(l.Event, "the row was removed (it was sealed as leaf %d)", l.Index)
			continue
		}
		data, err := row.leafData()
		if err != nil {
			return err
		}
		if tlog.RecordHash(data) != hash {
			c.found(l.Event, "the row was edited after it was sealed as leaf %d", l.Index)
		}
		c.checkBackdated(row, l.Index)
	}
	c.report.Rows += int64(len(leaves))
	return nil
}

// checkBackdated finds a row slipped in with an old time: an honest one is sealed soon after it is recorded.
func (c *orgCheck) checkBackdated(row Row, leaf int64) {
	var previous time.Time
	for _, size := range c.sizes {
		if size > leaf {
			break
		}
		previous = c.sealedAt[size]
	}
	if !previous.IsZero() && row.Recorded.Before(previous.Add(-c.slack)) {
		c.found(row.ID, "the row was inserted after the fact: recorded %s, but not there when the log was sealed %s",
			row.Recorded.Format(time.RFC3339), previous.Format(time.RFC3339))
	}
}

func (c *orgCheck) eventsByID(ctx context.Context) (map[int64]Row, error) {
	found, err := c.tx.Query(ctx, `select `+rowColumns+` from audit_event e where e.org_id = $1`, c.org)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(found, scanRow)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]Row, len(all))
	for _, row := range all {
		byID[row.ID] = row
	}
	return byID, nil
}

// checkpoints checks signatures; log compares their roots.
func (c *orgCheck) checkpoints(ctx context.Context) error {
	found, err := c.tx.Query(ctx, "select tree_size, signed, sealed_at from audit_checkpoint where org_id = $1 order by tree_size", c.org)
	if err != nil {
		return err
	}
	type checkpoint struct {
		Size   int64
		Signed string
		At     time.Time
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[checkpoint])
	if err != nil {
		return err
	}
	c.sealedAt = map[int64]time.Time{}
	for _, cp := range all {
		c.sizes, c.sealedAt[cp.Size] = append(c.sizes, cp.Size), cp.At.UTC()
		if _, err := note.Open([]byte(cp.Signed), note.VerifierList(c.verifier)); err != nil {
			c.found(0, "the signature of checkpoint %d does not verify", cp.Size)
		}
	}
	c.report.Checkpoints += int64(len(all))
	return nil
}

// log rebuilds the tree from the leaves and compares its root with every signed checkpoint.
func (c *orgCheck) log(ctx context.Context) error {
	stored := map[int64]tlog.Hash{}
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return overlay(indexes, stored, nil) })
	for i, leaf := range c.leaves {
		hashes, err := tlog.StoredHashesForRecordHash(int64(i), leaf, read)
		if err != nil {
			return err
		}
		first := tlog.StoredHashIndex(0, int64(i))
		for j, h := range hashes {
			stored[first+int64(j)] = h
		}
	}
	for _, size := range c.sizes {
		if size > int64(len(c.leaves)) {
			c.found(0, "checkpoint %d covers rows that the log no longer has (%d are left)", size, len(c.leaves))
			continue
		}
		root, err := tlog.TreeHash(size, read)
		if err != nil {
			return err
		}
		var signed string
		if err := c.tx.QueryRow(ctx, "select signed from audit_checkpoint where org_id = $1 and tree_size = $2", c.org, size).Scan(&signed); err != nil {
			return err
		}
		if !strings.HasPrefix(signed, checkpointText(c.org, size, root)) {
			c.found(0, "the log does not match signed checkpoint %d: leaves were rewritten", size)
		}
	}
	if len(c.leaves) > 0 && (len(c.sizes) == 0 || c.sizes[len(c.sizes)-1] != int64(len(c.leaves))) {
		c.found(0, "the last leaves of the log have no signed checkpoint")
	}
	return nil
}

func (c *orgCheck) unsealed(ctx context.Context) error {
	found, err := c.tx.Query(ctx, `select `+rowColumns+` from audit_event e
		where e.org_id = $1 and not exists (select from audit_leaf l where l.event_id = e.id) order by e.id`, c.org)
	if err != nil {
		return err
	}
	rows, err := pgx.CollectRows(found, scanRow)
	if err != nil {
		return err
	}
	for _, row := range rows {
		c.checkBackdated(row, int64(len(c.leaves)))
	}
	c.report.Pending += int64(len(rows))
	return nil
}

// archived compares the archived copies with the rows: the archive names the row even when the database's own
// log was rewritten along with it.
func (c *orgCheck) archived(ctx context.Context) error {
	if c.archive == nil {
		return nil
	}
	byID, err := c.eventsByID(ctx)
	if err != nil {
		return err
	}
	named := map[int64]bool{}
	for _, f := range c.report.Findings {
		named[f.EventID] = true
	}
	for _, size := range c.sizes {
		body, ok, err := c.archive.Fetch(ctx, fmt.Sprintf("audit/%s/%012d.rows", c.org, size))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for line := range strings.Lines(string(body)) {
			var copied Row
			if err := json.Unmarshal([]byte(line), &copied); err != nil {
				return fmt.Errorf("archived rows of checkpoint %d: %w", size, err)
			}
			was, err := copied.leafData()
			if err != nil {
				return err
			}
			row, there := byID[copied.ID]
			is, err := row.leafData()
			if err != nil {
				return err
			}
			if (!there || string(is) != string(was)) && !named[copied.ID] {
				c.found(copied.ID, "the row differs from the archived copy")
			}
		}
	}
	return nil
}
