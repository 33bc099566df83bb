package api

import (
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
)

// Limit is how often one caller may use the routes that share its name.
type Limit struct {
	Name  string
	Every time.Duration // one more is allowed after this long
	Burst int
}

// limiter holds a bucket for each caller and limit; buckets that are full again are forgotten.
type limiter struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[bucketKey]*bucket
	swept   time.Time
}

type bucketKey struct {
	name string
	from netip.Prefix
}

type bucket struct {
	rate *rate.Limiter
	last time.Time
}

const forgetAfter = 15 * time.Minute

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, buckets: map[bucketKey]*bucket{}, swept: now()}
}

func (l *limiter) allow(limit Limit, from netip.Addr) bool {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	key := bucketKey{limit.Name, network(from)}
	b, ok := l.buckets[key]
	if !ok {
		b = &bucket{rate: rate.NewLimiter(rate.Every(limit.Every), limit.Burst)}
		l.buckets[key] = b
	}
	b.last = now
	return b.rate.AllowN(now, 1)
}

func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if now.Sub(b.last) > forgetAfter {
			delete(l.buckets, key)
		}
	}
}

// network is what counts as one caller: an IPv4 address, or the /64 that an IPv6 caller may choose addresses from.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

func (e *Engine) limited(r Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !e.limiter.allow(*r.Limit, IP(c)) {
			Fail(c, errTooMany)
		}
	}
}
