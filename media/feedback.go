package media

import (
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

const (
	congestionInterval = 100 * time.Millisecond
	steadyInterval     = 200 * time.Millisecond // when nothing is missing
	rampUp             = 10 * time.Second       // the time a browser takes to find its rate
	reportInterval     = time.Second
)

// feedback tells a publisher how its packets arrive: transport-wide
// congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01), so
// that its browser finds its uplink's bandwidth, receiver reports, and the
// bandwidth limit (REMB). It is driven by arrivals: a silent publisher costs
// no wake-up. Only the link's SRTP goroutine uses it.
type feedback struct {
	link       *link
	recorder   *twcc.Recorder
	epoch      time.Time
	congestion time.Time
	reported   time.Time
}

func (f *feedback) init(l *link) {
	f.link = l
	f.recorder = twcc.NewRecorder(l.ssrc)
	f.epoch = l.node.cfg.Now()
}

func (f *feedback) record(ssrc uint32, sequence uint16, now time.Time) {
	f.recorder.Record(ssrc, sequence, now.Sub(f.epoch).Microseconds())
}

func (f *feedback) maybeSend(now time.Time) {
	if since := now.Sub(f.congestion); since >= steadyInterval || (since >= congestionInterval && f.unsteady(now)) {
		f.congestion = now
		if f.recorder.PacketsHeld() > 0 {
			f.link.send(f.recorder.BuildFeedbackPacket()...)
		}
	}
	if now.Sub(f.reported) >= reportInterval {
		f.reported = now
		f.sendReports(now)
	}
}

// unsteady says whether the publisher needs to know soon.
func (f *feedback) unsteady(now time.Time) bool {
	if now.Sub(f.epoch) < rampUp {
		return true
	}
	for _, p := range *f.link.pubs.Load() {
		if p.arrivals.Missing() > 0 || p.uplinkLoss.Load() > 0 {
			return true
		}
	}
	return false
}

func (f *feedback) sendReports(now time.Time) {
	report := &rtcp.ReceiverReport{SSRC: f.link.ssrc}
	var video []uint32
	var limit int64
	for _, p := range *f.link.pubs.Load() {
		if p.ssrc == 0 {
			continue
		}
		report.Reports = append(report.Reports, p.receptionReport(now))
		if p.video {
			video = append(video, p.ssrc)
			if bits := p.limit.Load(); bits > 0 {
				limit += bits
			} else {
				limit += int64(f.link.node.cfg.MaxVideoBitrate)
			}
		}
	}
	if len(report.Reports) == 0 {
		return
	}
	packets := []rtcp.Packet{report}
	if len(video) > 0 {
		packets = append(packets, &rtcp.ReceiverEstimatedMaximumBitrate{
			SenderSSRC: f.link.ssrc, Bitrate: float32(limit + audioAllowance), SSRCs: video,
		})
	}
	f.link.send(packets...)
}

const audioAllowance = 64_000 // bits a second for the publisher's audio, beside its video

func (p *publication) receptionReport(now time.Time) rtcp.ReceptionReport {
	figures := p.arrivals.Report()
	r := rtcp.ReceptionReport{
		SSRC: p.ssrc, FractionLost: figures.FractionLost, TotalLost: uint32(figures.TotalLost) & 0xffffff,
		LastSequenceNumber: figures.Highest, Jitter: figures.Jitter,
	}
	p.uplinkLoss.Store(int32(figures.FractionLost))
	if sr := p.lastReport(); !sr.at.IsZero() {
		r.LastSenderReport = uint32(sr.ntp >> 16)
		r.Delay = uint32(now.Sub(sr.at).Seconds() * 65536)
	}
	return r
}
