package fhirserver

import (
	"crypto/rand"
	"sync"
	"time"
)

// page is the rest of a search result. It is kept as it was found, so that writes between
// two pages neither skip nor repeat a resource.
type page struct {
	found           []*Version
	total           int
	query           *query
	client, patient string
	typ             string
	until           time.Time
}

const (
	pageLife = 10 * time.Minute
	maxPages = 1000
)

type pages struct {
	mu   sync.Mutex
	now  func() time.Time
	kept map[string]page
}

func newPages(now func() time.Time) *pages { return &pages{now: now, kept: map[string]page{}} }

func (p *pages) keep(rest page) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	var oldest string
	for token, kept := range p.kept {
		if kept.until.Before(now) {
			delete(p.kept, token)
		} else if oldest == "" || kept.until.Before(p.kept[oldest].until) {
			oldest = token
		}
	}
	if len(p.kept) >= maxPages {
		delete(p.kept, oldest)
	}
	token := rand.Text()
	rest.until = now.Add(pageLife)
	p.kept[token] = rest
	return token
}

// take returns a page; the same link may be followed again while it is kept.
func (p *pages) take(token string) (page, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept, ok := p.kept[token]
	if !ok || kept.until.Before(p.now()) {
		return page{}, false
	}
	return kept, true
}
