package packet

import "sync"

const refillMillis = 700 // an arena that turns over faster than this doubles

// Cache remembers the newest packets of one track in one flat ring of bytes,
// so that repairs cost no allocation and the collector has nothing to walk.
// It is safe for one writer and any number of readers.
type Cache struct {
	mu       sync.Mutex
	arena    []byte
	maxArena int
	index    []cacheEntry
	written  uint64 // logical end; physical position is written % len(arena)
	turnedAt int64  // when the arena last began anew, milliseconds
	turned   bool
}

type cacheEntry struct {
	start    uint64 // logical offset of the first byte
	sequence uint16
	size     uint16
	used     bool
}

// NewCache returns a cache of initial bytes (a power of two is not needed)
// that grows to at most limit bytes, and knows at most packets sequence
// numbers, rounded up to a power of two.
func NewCache(initial, limit, packets int) *Cache {
	n := 1
	for n < packets {
		n <<= 1
	}
	return &Cache{arena: make([]byte, initial), maxArena: max(initial, limit), index: make([]cacheEntry, n)}
}

// Put stores a copy of raw under its sequence number. nowMillis is any
// monotonic millisecond count. It reports false, and stores nothing, when the
// sequence number is already there or raw cannot fit.
func (c *Cache) Put(sequence uint16, raw []byte, nowMillis int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(raw) == 0 || len(raw) > len(c.arena)/2 || len(raw) > 0xffff {
		return false
	}
	entry := &c.index[int(sequence)&(len(c.index)-1)]
	if entry.used && entry.sequence == sequence {
		return false
	}
	size := uint64(len(c.arena))
	if at := c.written % size; at+uint64(len(raw)) > size || (at == 0 && c.written > 0) {
		c.written += (size - at) % size
		c.turn(nowMillis)
		size = uint64(len(c.arena))
	}
	*entry = cacheEntry{start: c.written, sequence: sequence, size: uint16(len(raw)), used: true}
	copy(c.arena[c.written%size:], raw)
	c.written += uint64(len(raw))
	return true
}

// turn runs when the arena is full and begins anew: if it filled too fast to
// cover a repair's round trips, it doubles.
func (c *Cache) turn(nowMillis int64) {
	fast := c.turned && nowMillis-c.turnedAt < refillMillis
	c.turned, c.turnedAt = true, nowMillis
	if !fast || len(c.arena)*2 > c.maxArena {
		return
	}
	old, oldSize := c.arena, uint64(len(c.arena))
	arena := make([]byte, len(old)*2)
	pos := uint64(0)
	for i := range c.index {
		entry := &c.index[i]
		if !entry.used || !c.intact(entry) {
			entry.size = 0 // seen, but gone
			continue
		}
		at := entry.start % oldSize
		copy(arena[pos:], old[at:at+uint64(entry.size)])
		entry.start = pos
		pos += uint64(entry.size)
	}
	c.arena, c.written = arena, pos
}

func (c *Cache) intact(e *cacheEntry) bool { return e.start+uint64(len(c.arena)) >= c.written }

// Get copies the packet into dst and returns its size. It reports false when
// the packet is unknown, gone, or longer than dst.
func (c *Cache) Get(sequence uint16, dst []byte) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := &c.index[int(sequence)&(len(c.index)-1)]
	if !entry.used || entry.sequence != sequence || entry.size == 0 || !c.intact(entry) || int(entry.size) > len(dst) {
		return 0, false
	}
	at := entry.start % uint64(len(c.arena))
	return copy(dst, c.arena[at:at+uint64(entry.size)]), true
}

// Reset forgets every packet and keeps the memory.
func (c *Cache) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.index)
	c.written, c.turned = 0, false
}

// Size returns the bytes held for packets.
func (c *Cache) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.arena)
}
