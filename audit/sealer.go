package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Archive keeps checkpoints and sealed rows outside the database; with Object Lock nobody can take them back.
type Archive interface {
	PutOnce(ctx context.Context, key string, body io.Reader, size int64) error
}

// Sealer gathers committed events into the log of each organisation and signs checkpoints.
type Sealer struct {
	db      *DB
	signer  note.Signer
	archive Archive
	log     *slog.Logger
	every   time.Duration
	done    chan struct{}
}

// NewSealer makes a sealer. signingKey is in the form of note.GenerateKey's private key.
func NewSealer(db *DB, signingKey string, archive Archive, every time.Duration, log *slog.Logger) (*Sealer, error) {
	signer, err := note.NewSigner(signingKey)
	if err != nil {
		return nil, fmt.Errorf("the audit signing key cannot be read: %w", err)
	}
	return &Sealer{db: db, signer: signer, archive: archive, log: log, every: every, done: make(chan struct{})}, nil
}

// Run seals until ctx ends, then once more, so that a clean stop leaves nothing unsealed.
func (s *Sealer) Run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			s.sealAll(last)
			return
		case <-tick.C:
			s.sealAll(ctx)
		}
	}
}

// Done is closed when Run has returned.
func (s *Sealer) Done() <-chan struct{} { return s.done }

func (s *Sealer) sealAll(ctx context.Context) {
	if err := s.SealAll(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("sealing the audit trail failed; it will be tried again", "cause", Safe(err))
	}
}

// SealAll seals what is committed in every organisation.
func (s *Sealer) SealAll(ctx context.Context) error {
	var orgs []uuid.UUID
	err := s.db.Read(ctx, uuid.Nil, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select id from organisation order by id")
		if err != nil {
			return err
		}
		orgs, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return err
	}
	for _, org := range orgs {
		if err := s.Seal(ctx, org); err != nil {
			return err
		}
	}
	return nil
}

// Seal adds the organisation's committed, unsealed events to its log, signs a checkpoint and archives both.
func (s *Sealer) Seal(ctx context.Context, org uuid.UUID) error {
	err := s.db.Housekeep(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtextextended($1, 7))", org.String()); err != nil {
			return err
		}
		rows, err := unsealed(ctx, tx, org)
		if err != nil || len(rows) == 0 {
			return err
		}
		return s.append(ctx, tx, org, rows)
	})
	if err != nil {
		return err
	}
	return s.archiveCheckpoints(ctx, org)
}

// unsealed reads the events that are sure to have no earlier sibling still uncommitted.
func unsealed(ctx context.Context, tx pgx.Tx, org uuid.UUID) ([]Row, error) {
	rows, err := tx.Query(ctx, `select `+rowColumns+` from audit_event e
		where e.org_id = $1 and e.txid < pg_snapshot_xmin(pg_current_snapshot())
		  and not exists (select from audit_leaf l where l.event_id = e.id)
		order by e.id limit 2000`, org)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRow)
}

func (s *Sealer) append(ctx context.Context, tx pgx.Tx, org uuid.UUID, rows []Row) error {
	var size int64
	if err := tx.QueryRow(ctx, "select count(*) from audit_leaf where org_id = $1", org).Scan(&size); err != nil {
		return err
	}
	reader := storedHashes(ctx, tx, org)
	batch := &pgx.Batch{}
	fresh := map[int64]tlog.Hash{}
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return overlay(indexes, fresh, reader) })
	for _, row := range rows {
		data, err := row.leafData()
		if err != nil {
			return err
		}
		hashes, err := tlog.StoredHashes(size, data, read)
		if err != nil {
			return fmt.Errorf("extend the log: %w", err)
		}
		first := tlog.StoredHashIndex(0, size)
		for i, h := range hashes {
			fresh[first+int64(i)] = h
			batch.Queue("insert into audit_hash (org_id, hash_index, hash) values ($1,$2,$3)", org, first+int64(i), h[:])
		}
		leaf := tlog.RecordHash(data)
		batch.Queue("insert into audit_leaf (org_id, leaf_index, event_id, leaf_hash) values ($1,$2,$3,$4)", org, size, row.ID, leaf[:])
		size++
	}
	root, err := tlog.TreeHash(size, read)
	if err != nil {
		return fmt.Errorf("hash the log: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: checkpointText(org, size, root)}, s.signer)
	if err != nil {
		return fmt.Errorf("sign the checkpoint: %w", err)
	}
	batch.Queue("insert into audit_checkpoint (org_id, tree_size, signed, sealed_at) values ($1,$2,$3,$4)", org, size, string(signed), s.db.now().UTC())
	return tx.SendBatch(ctx, batch).Close()
}

func checkpointText(org uuid.UUID, size int64, root tlog.Hash) string {
	return fmt.Sprintf("televisit audit %s\n%d\n%s\n", org, size, root)
}

// archiveCheckpoints copies what is sealed and not yet archived: the checkpoint and the rows that it added.
func (s *Sealer) archiveCheckpoints(ctx context.Context, org uuid.UUID) error {
	if s.archive == nil {
		return nil
	}
	for {
		var size, before int64
		var signed string
		var rows []Row
		err := s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
			err := tx.QueryRow(ctx, `select tree_size, signed,
				coalesce((select max(p.tree_size) from audit_checkpoint p where p.org_id = c.org_id and p.tree_size < c.tree_size), 0)
				from audit_checkpoint c where org_id = $1 and not archived order by tree_size limit 1`, org).Scan(&size, &signed, &before)
			if err != nil {
				return err
			}
			rows, err = sealedRows(ctx, tx, org, before, size)
			return err
		})
		if err == pgx.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.put(ctx, org, size, signed, rows); err != nil {
			return fmt.Errorf("archive the audit trail: %w", err)
		}
		err = s.db.Housekeep(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "update audit_checkpoint set archived = true where org_id = $1 and tree_size = $2", org, size)
			return err
		})
		if err != nil {
			return err
		}
	}
}

func sealedRows(ctx context.Context, tx pgx.Tx, org uuid.UUID, from, to int64) ([]Row, error) {
	found, err := tx.Query(ctx, `select `+rowColumns+` from audit_leaf l join audit_event e on e.id = l.event_id
		where l.org_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3 order by l.leaf_index`, org, from, to)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, scanRow)
}

func (s *Sealer) put(ctx context.Context, org uuid.UUID, size int64, signed string, rows []Row) error {
	var body bytes.Buffer
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		body.Write(append(line, '\n'))
	}
	base := fmt.Sprintf("audit/%s/%012d", org, size)
	if err := s.archive.PutOnce(ctx, base+".rows", &body, int64(body.Len())); err != nil {
		return err
	}
	return s.archive.PutOnce(ctx, base+".checkpoint", bytes.NewReader([]byte(signed)), int64(len(signed)))
}

func storedHashes(ctx context.Context, tx pgx.Tx, org uuid.UUID) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			var raw []byte
			if err := tx.QueryRow(ctx, "select hash from audit_hash where org_id = $1 and hash_index = $2", org, index).Scan(&raw); err != nil {
				return nil, fmt.Errorf("log hash %d: %w", index, err)
			}
			copy(hashes[i][:], raw)
		}
		return hashes, nil
	})
}

func overlay(indexes []int64, fresh map[int64]tlog.Hash, stored tlog.HashReader) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if h, ok := fresh[index]; ok {
			hashes[i] = h
			continue
		}
		got, err := stored.ReadHashes([]int64{index})
		if err != nil {
			return nil, err
		}
		hashes[i] = got[0]
	}
	return hashes, nil
}
