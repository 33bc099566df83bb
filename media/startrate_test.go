package media

import (
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

func TestVideoBeginsAtAUsableRate(t *testing.T) {
	for _, test := range []struct{ name, section, want string }{
		{"a codec without parameters", "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n",
			"a=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=1000\r\na=sendrecv\r\n"},
		{"a codec with parameters keeps them", "m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n",
			"a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;x-google-start-bitrate=1000\r\n"},
		{"a repair stream has no rate of its own", "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n",
			"a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"},
		{"sound is left alone", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n", "a=rtpmap:111 opus/48000/2\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var answer sdp.SessionDescription
			if err := answer.UnmarshalString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + test.section); err != nil {
				t.Fatal(err)
			}
			got, err := withStartRate(&answer)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(got, test.want) {
				t.Errorf("got %q, want it to end in %q", got, test.want)
			}
		})
	}
}
