package fhirserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// entry is one line of the journal. Byte slices are base64 in JSON, so the bytes a client sent come back unchanged.
type entry struct {
	Type    string    `json:"type"`
	ID      string    `json:"id"`
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Method  string    `json:"method"`
	Client  string    `json:"client,omitempty"`
	Sent    []byte    `json:"sent"`
	Raw     []byte    `json:"raw,omitempty"` // only where it differs from Sent
}

type journal struct {
	file *os.File
	// broken is set when a write failed in the middle: what is on disk is then unknown, so nothing more is written.
	broken bool
	// unsynced is true while seeding, when one sync at the end is enough.
	unsynced bool
}

var errJournal = errors.New("the journal could not be written")

func openJournal(path string, admit func(*Version)) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	good, err := replay(file, admit)
	if err == nil {
		err = file.Truncate(good)
	}
	if err == nil {
		_, err = file.Seek(good, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("replay journal: %w", err), file.Close())
	}
	return &journal{file: file}, nil
}

// replay reads whole lines and returns the offset after the last one.
func replay(file io.Reader, admit func(*Version)) (int64, error) {
	reader := bufio.NewReader(file)
	var good int64
	for line := 1; ; line++ {
		data, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil // what follows the last newline was never acknowledged
		}
		if err != nil {
			return 0, err
		}
		v, err := decodeEntry(data)
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", line, err)
		}
		admit(v)
		good += int64(len(data))
	}
}

func decodeEntry(data []byte) (*Version, error) {
	var e entry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if e.Raw == nil {
		e.Raw = e.Sent
	}
	parsed, err := decodeStrict(e.Raw)
	if err != nil {
		return nil, err
	}
	return &Version{Type: e.Type, ID: e.ID, Version: e.Version, At: e.At, Method: e.Method, Client: e.Client,
		Sent: e.Sent, Raw: e.Raw, parsed: parsed}, nil
}

func (j *journal) write(v *Version) error {
	if j.broken {
		return errJournal
	}
	e := entry{Type: v.Type, ID: v.ID, Version: v.Version, At: v.At, Method: v.Method, Client: v.Client, Sent: v.Sent}
	if !bytes.Equal(v.Sent, v.Raw) {
		e.Raw = v.Raw
	}
	line, err := json.Marshal(e)
	if err != nil {
		return errors.Join(errJournal, err)
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		j.broken = true
		return errors.Join(errJournal, err)
	}
	if j.unsynced {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		j.broken = true
		return errors.Join(errJournal, err)
	}
	return nil
}

func (j *journal) close() error {
	return errors.Join(j.file.Sync(), j.file.Close())
}

// Seeding runs seed with one sync at its end instead of one per resource.
func (s *Store) Seeding(seed func() error) error {
	s.mu.Lock()
	s.journal.unsynced = true
	s.mu.Unlock()
	err := seed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.unsynced = false
	return errors.Join(err, s.journal.file.Sync())
}
