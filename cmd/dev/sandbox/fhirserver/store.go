package fhirserver

import (
	"errors"
	"net/url"
	"sort"
	"strconv"
	"sync"
	"time"
)

// Version is one version of a resource.
type Version struct {
	Type, ID string
	Version  int
	At       time.Time
	// Method is how it came: POST, PUT, PATCH, or SEED.
	Method string
	Client string
	// Sent is the body as it was received: for PATCH the patch document, else the resource.
	Sent []byte
	// Raw is the resource before id and meta are laid over; the same bytes as Sent except after a PATCH.
	Raw []byte

	parsed map[string]any
}

// Served is the representation given to readers.
func (v *Version) Served() ([]byte, error) {
	return overlay(v.Raw, v.ID, v.Version, v.LastUpdated())
}

// LastUpdated is meta.lastUpdated, an instant in UTC.
func (v *Version) LastUpdated() string { return v.At.UTC().Format("2006-01-02T15:04:05.000Z") }

// Parsed is the decoded resource; callers must not change it.
func (v *Version) Parsed() map[string]any { return v.parsed }

// Reference is the relative reference Type/id.
func (v *Version) Reference() string { return v.Type + "/" + v.ID }

// Errors of the store.
var (
	errMultiple = errors.New("more than one resource matches")
	errVersion  = errors.New("the version does not match")
	errAbsent   = errors.New("no such resource")
)

// Store holds every version of every resource in memory and in a journal on disk.
type Store struct {
	mu      sync.RWMutex
	now     func() time.Time
	journal *journal
	records map[string][]*Version // by Type/id, oldest first
	order   []string              // Type/id in order of creation
	all     []*Version            // every version in order of arrival
}

// OpenStore replays the journal at path and opens it for appending. A torn last line,
// left by a crash in the middle of a write that was never acknowledged, is cut off.
func OpenStore(path string, now func() time.Time) (*Store, error) {
	s := &Store{now: now, records: map[string][]*Version{}}
	journal, err := openJournal(path, s.admit)
	if err != nil {
		return nil, err
	}
	s.journal = journal
	return s, nil
}

// Close closes the journal.
func (s *Store) Close() error { return s.journal.close() }

// admit adds a version to memory; the caller holds the lock (or is the only user).
func (s *Store) admit(v *Version) {
	key := v.Reference()
	if len(s.records[key]) == 0 {
		s.order = append(s.order, key)
	}
	s.records[key] = append(s.records[key], v)
	s.all = append(s.all, v)
}

// append commits a version: the journal first, so that what was acknowledged survives a crash.
func (s *Store) append(v *Version) error {
	v.At = s.now().UTC().Truncate(time.Millisecond)
	v.Version = len(s.records[v.Reference()]) + 1
	if err := s.journal.write(v); err != nil {
		return err
	}
	s.admit(v)
	return nil
}

// Create commits a new resource. When criteria is not nil, it is a conditional create:
// the one resource that matches is returned with created false, several give errMultiple.
func (s *Store) Create(v *Version, matches matcher) (stored *Version, created bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if matches != nil {
		var found []*Version
		for _, key := range s.order {
			if current := last(s.records[key]); current.Type == v.Type && matches(current, held{s}) {
				found = append(found, current)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], false, nil
		default:
			return nil, false, errMultiple
		}
	}
	if err := s.append(v); err != nil {
		return nil, false, err
	}
	return v, true, nil
}

// Replace commits the next version of a resource if its current version is expected;
// make builds it from the current one.
func (s *Store) Replace(typ, id string, expected int, make func(current *Version) (*Version, error)) (*Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.records[typ+"/"+id]
	if len(versions) == 0 {
		return nil, errAbsent
	}
	current := last(versions)
	if current.Version != expected {
		return nil, errVersion
	}
	next, err := make(current)
	if err != nil {
		return nil, err
	}
	if err := s.append(next); err != nil {
		return nil, err
	}
	return next, nil
}

// Get returns the current version of a resource.
func (s *Store) Get(typ, id string) (*Version, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	versions := s.records[typ+"/"+id]
	if len(versions) == 0 {
		return nil, false
	}
	return last(versions), true
}

// History returns every version of a resource, newest first.
func (s *Store) History(typ, id string) []*Version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	versions := s.records[typ+"/"+id]
	out := make([]*Version, 0, len(versions))
	for i := len(versions) - 1; i >= 0; i-- {
		out = append(out, versions[i])
	}
	return out
}

// Find returns the current versions of a type that match, in order of creation.
func (s *Store) Find(typ string, matches matcher) []*Version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*Version
	for _, key := range s.order {
		if current := last(s.records[key]); current.Type == typ && matches(current, held{s}) {
			out = append(out, current)
		}
	}
	return out
}

// matcher decides on one resource; it looks others up without taking the lock again.
type matcher func(v *Version, others lookup) bool

// held is the store seen by someone who holds its lock.
type held struct{ store *Store }

func (h held) Get(typ, id string) (*Version, bool) {
	versions := h.store.records[typ+"/"+id]
	if len(versions) == 0 {
		return nil, false
	}
	return last(versions), true
}

// Query finds current resources by search parameters, as a search request would; it is
// for the hospital's own parts (the chart), which are not clients of the FHIR interface.
func (s *Store) Query(typ string, params url.Values) ([]*Version, error) {
	q, err := parseQuery(typ, params, true)
	if err != nil {
		return nil, err
	}
	found := s.Find(typ, q.matches)
	q.sort(found)
	return found, nil
}

// Received returns every version that came from a client, optionally of one type, in order of arrival.
func (s *Store) Received(typ string) []*Version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*Version
	for _, v := range s.all {
		if v.Method != methodSeed && (typ == "" || v.Type == typ) {
			out = append(out, v)
		}
	}
	return out
}

const methodSeed = "SEED"

// Seed puts a resource under a chosen id unless it is already there.
func (s *Store) Seed(typ, id string, raw []byte) error {
	parsed, err := decodeStrict(raw)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records[typ+"/"+id]) > 0 {
		return nil
	}
	return s.append(&Version{Type: typ, ID: id, Method: methodSeed, Sent: raw, Raw: raw, parsed: parsed})
}

func last(versions []*Version) *Version { return versions[len(versions)-1] }

func sortStable(found []*Version, less func(a, b *Version) bool) {
	sort.SliceStable(found, func(i, j int) bool { return less(found[i], found[j]) })
}

func etag(version int) string { return `W/"` + strconv.Itoa(version) + `"` }
