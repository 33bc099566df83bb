package recorder_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/packet"
)

// What recording costs the goroutine that forwards: a copy under a lock, and no allocation.
func BenchmarkWriteRTP(b *testing.B) {
	f := setUp(b, nil)
	session := f.start(b)
	sink := session.TrackStarted(packet.TrackInfo{ID: uuid.New(), Participant: uuid.New(), MimeType: "video/VP8", ClockRate: 90000})
	raw, now := make([]byte, 1200), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		sink.WriteRTP(raw, now)
	}
	stop(b, session)
}
