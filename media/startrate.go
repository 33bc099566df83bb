package media

import (
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// startRate is the rate in kbit/s at which a browser should begin to send its picture. By itself libwebrtc begins at
// 300, at which a first picture of 720 lines takes most of a second; congestion control corrects it from there.
const startRate = 1000

// withStartRate adds libwebrtc's parameter to the answer's video codecs. Other browsers ignore it (RFC 8866 section 6.15).
func withStartRate(answer *sdp.SessionDescription) (string, error) {
	for _, m := range answer.MediaDescriptions {
		if m.MediaName.Media == kindVideo {
			m.Attributes = startingAt(m.Attributes, startRate)
		}
	}
	text, err := answer.Marshal()
	return string(text), err
}

func startingAt(attributes []sdp.Attribute, rate int) []sdp.Attribute {
	parameter := "x-google-start-bitrate=" + strconv.Itoa(rate)
	fmtp := map[string]int{} // by payload type
	for i, a := range attributes {
		if pt, _, found := strings.Cut(a.Value, " "); a.Key == "fmtp" && found {
			fmtp[pt] = i
		}
	}
	var out []sdp.Attribute
	for _, a := range attributes {
		out = append(out, a)
		if a.Key != "rtpmap" || strings.Contains(a.Value, " rtx/") {
			continue
		}
		pt, _, _ := strings.Cut(a.Value, " ")
		if _, has := fmtp[pt]; !has {
			out = append(out, sdp.Attribute{Key: "fmtp", Value: pt + " " + parameter})
		}
	}
	for i, a := range out {
		pt, rest, found := strings.Cut(a.Value, " ")
		if _, has := fmtp[pt]; a.Key == "fmtp" && found && has && !strings.HasPrefix(rest, "apt=") {
			out[i].Value += ";" + parameter
		}
	}
	return out
}
