package packet

import "testing"

func TestParseVP8(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		ok   bool
		want VP8
	}{
		"empty":             {in: nil},
		"plain start":       {in: []byte{0x10, 0}, ok: true, want: VP8{Start: true, Size: 1}},
		"second partition":  {in: []byte{0x11, 0}, ok: true, want: VP8{Size: 1}},
		"continuation":      {in: []byte{0x00, 0}, ok: true, want: VP8{Size: 1}},
		"non-reference":     {in: []byte{0x30}, ok: true, want: VP8{Start: true, NonRef: true, Size: 1}},
		"extension cut":     {in: []byte{0x90}},
		"nothing extended":  {in: []byte{0x90, 0}, ok: true, want: VP8{Start: true, Size: 2}},
		"short picture id":  {in: []byte{0x90, 0x80, 0x11}, ok: true, want: VP8{Start: true, Size: 3, HasPicture: true, PictureID: 0x11, pictureAt: 2}},
		"long picture id":   {in: []byte{0x90, 0x80, 0x92, 0x34}, ok: true, want: VP8{Start: true, Size: 4, HasPicture: true, LongPicture: true, PictureID: 0x1234, pictureAt: 2}},
		"picture id absent": {in: []byte{0x90, 0x80}},
		"picture id cut":    {in: []byte{0x90, 0x80, 0x92}},
		"everything": {
			in: []byte{0x90, 0xf0, 0x81, 0x02, 0x05, 0x60}, ok: true,
			want: VP8{
				Start: true, Size: 6, HasPicture: true, LongPicture: true, PictureID: 0x102, HasTL0: true, TL0: 5,
				HasTID: true, TID: 1, LayerSync: true, pictureAt: 2, tl0At: 4,
			},
		},
		"TL0 cut":      {in: []byte{0x90, 0xc0, 0x01}},
		"TID cut":      {in: []byte{0x90, 0xe0, 0x01, 0x02}},
		"key idx only": {in: []byte{0x90, 0x10, 0x1f}, ok: true, want: VP8{Start: true, Size: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseVP8(c.in)
			if c.want.Size == 3 && !c.want.HasPicture {
				c.want.TID, c.want.LayerSync = got.TID, got.LayerSync
			}
			if ok != c.ok || got != c.want {
				t.Errorf("got %+v (%v), want %+v (%v)", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestVP8Rewrite(t *testing.T) {
	for name, c := range map[string]struct {
		in, want []byte
		o        Offsets
		pic      uint16
		tl0      uint8
	}{
		"no offsets": {[]byte{0x90, 0xc0, 0x81, 0x02, 0x05, 9}, []byte{0x90, 0xc0, 0x81, 0x02, 0x05, 9}, Offsets{}, 0x102, 5},
		"long wraps": {[]byte{0x90, 0xc0, 0xff, 0xff, 0xff, 9}, []byte{0x90, 0xc0, 0x80, 0x01, 0x02, 9}, Offsets{PictureID: 2, TL0: 3}, 1, 2},
		"short":      {[]byte{0x90, 0x80, 0x7e, 9}, []byte{0x90, 0x80, 0x01, 9}, Offsets{PictureID: 3}, 1, 0},
		"neither":    {[]byte{0x10, 9}, []byte{0x10, 9}, Offsets{PictureID: 3, TL0: 3}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, ok := ParseVP8(c.in)
			if !ok {
				t.Fatal("not parsed")
			}
			pic, tl0 := d.Rewrite(c.in, c.o)
			if string(c.in) != string(c.want) || pic != c.pic || tl0 != c.tl0 {
				t.Errorf("% x, %d, %d; want % x, %d, %d", c.in, pic, tl0, c.want, c.pic, c.tl0)
			}
		})
	}
}

func FuzzVP8(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x81, 0x02, 0x05, 0x60, 0}, uint16(7), uint8(3))
	f.Add([]byte{0x90, 0x80, 0x7e, 9}, uint16(0xffff), uint8(255))
	f.Fuzz(func(t *testing.T, b []byte, pic uint16, tl0 uint8) {
		d, ok := ParseVP8(b)
		if !ok {
			return
		}
		if d.Size > len(b) {
			t.Fatalf("descriptor of %d bytes in %d", d.Size, len(b))
		}
		wrotePic, wroteTL0 := d.Rewrite(b, Offsets{PictureID: pic, TL0: tl0})
		again, ok := ParseVP8(b)
		if !ok || again.Size != d.Size || (d.HasPicture && again.PictureID != wrotePic) || (d.HasTL0 && again.TL0 != wroteTL0) {
			t.Fatalf("rewritten descriptor reads %+v", again)
		}
		if again.Start != d.Start || again.TID != d.TID || again.LongPicture != d.LongPicture {
			t.Fatalf("rewriting changed more than it should: %+v, %+v", d, again)
		}
	})
}

func TestIsKeyframeStart(t *testing.T) {
	for name, c := range map[string]struct {
		codec Codec
		in    []byte
		want  bool
	}{
		"vp8 key":                     {CodecVP8, []byte{0x10, 0x00}, true},
		"vp8 delta":                   {CodecVP8, []byte{0x10, 0x01}, false},
		"vp8 key, later packet":       {CodecVP8, []byte{0x00, 0x00}, false},
		"vp8 descriptor only":         {CodecVP8, []byte{0x10}, false},
		"vp8 nothing":                 {CodecVP8, nil, false},
		"vp9 key, no layers":          {CodecVP9, []byte{0x08}, true},
		"vp9 predicted":               {CodecVP9, []byte{0x48}, false},
		"vp9 not the beginning":       {CodecVP9, []byte{0x00}, false},
		"vp9 nothing":                 {CodecVP9, nil, false},
		"vp9 base layer":              {CodecVP9, []byte{0xa8, 0x01, 0x00}, true},
		"vp9 long picture id":         {CodecVP9, []byte{0xa8, 0x81, 0x02, 0x00}, true},
		"vp9 second spatial layer":    {CodecVP9, []byte{0xa8, 0x01, 0x02}, false},
		"vp9 inter-layer":             {CodecVP9, []byte{0xa8, 0x01, 0x01}, false},
		"vp9 temporal layer":          {CodecVP9, []byte{0xa8, 0x01, 0x20}, false},
		"vp9 picture id cut":          {CodecVP9, []byte{0xa8}, false},
		"vp9 layer cut":               {CodecVP9, []byte{0xa8, 0x01}, false},
		"h264 idr":                    {CodecH264, []byte{0x65, 1}, true},
		"h264 sps":                    {CodecH264, []byte{0x67, 1}, true},
		"h264 slice":                  {CodecH264, []byte{0x61, 1}, false},
		"h264 nothing":                {CodecH264, nil, false},
		"h264 stap with sps":          {CodecH264, []byte{24, 0, 2, 0x67, 1, 0, 1, 0x68}, true},
		"h264 stap with sps second":   {CodecH264, []byte{24, 0, 1, 0x09, 0, 2, 0x67, 1}, true},
		"h264 stap without":           {CodecH264, []byte{24, 0, 2, 0x61, 1}, false},
		"h264 stap cut":               {CodecH264, []byte{24, 0, 9, 0x67}, false},
		"h264 stap with zero size":    {CodecH264, []byte{24, 0, 0, 0x67}, false},
		"h264 fragment starts idr":    {CodecH264, []byte{28, 0x85}, true},
		"h264 fragment continues idr": {CodecH264, []byte{28, 0x05}, false},
		"h264 fragment starts slice":  {CodecH264, []byte{28, 0x81}, false},
		"h264 fragment cut":           {CodecH264, []byte{28}, false},
		"opus":                        {CodecOpus, []byte{0x10, 0}, false},
		"other":                       {CodecOther, []byte{0x65}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := IsKeyframeStart(c.codec, c.in); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestCodecOf(t *testing.T) {
	for mime, want := range map[string]Codec{
		"audio/opus": CodecOpus, "video/VP8": CodecVP8, "video/vp9": CodecVP9, "video/H264": CodecH264,
		"video/rtx": CodecOther, "": CodecOther,
	} {
		if got := CodecOf(mime); got != want {
			t.Errorf("%s: %d, want %d", mime, got, want)
		}
	}
}

func TestTemporalFilter(t *testing.T) {
	frame := func(tid uint8, sync bool) VP8 {
		return VP8{Start: true, HasTID: true, TID: tid, LayerSync: sync}
	}
	var f TemporalFilter
	f.SetTarget(MaxTemporal)
	if !f.Keep(VP8{Start: true}) {
		t.Fatal("a stream without layers was thinned")
	}
	if !f.Keep(frame(0, false)) || !f.Keep(frame(2, false)) {
		t.Fatal("all layers were asked for")
	}
	f.SetTarget(0)
	if f.Keep(frame(1, true)) || !f.Keep(frame(0, false)) {
		t.Fatal("only the base layer was asked for")
	}
	f.SetTarget(9) // taken as the highest
	if f.Keep(frame(1, false)) {
		t.Fatal("went up where a reference may be missing")
	}
	if !f.Keep(frame(0, false)) || !f.Keep(frame(1, true)) || !f.Keep(frame(1, false)) {
		t.Fatal("did not go up at a sync point")
	}
	if f.Keep(frame(2, false)) || !f.Keep(frame(2, true)) {
		t.Fatal("the second layer has its own sync point")
	}
}

func TestChoose(t *testing.T) {
	all := Budget{Video: true, Temporal: MaxTemporal}
	for name, c := range map[string]struct {
		estimate, rate int
		playing, want  Budget
	}{
		"nothing known":         {0, 1_000_000, Budget{}, all},
		"no video yet":          {500_000, 0, Budget{}, all},
		"plenty":                {5_000_000, 1_000_000, all, all},
		"just enough, playing":  {1_048_000, 1_000_000, all, all},
		"just enough, from one": {1_048_000, 1_000_000, Budget{Video: true, Temporal: 1}, Budget{Video: true, Temporal: 1}},
		"two layers":            {760_000, 1_000_000, all, Budget{Video: true, Temporal: 1}},
		"base layer":            {460_000, 1_000_000, all, Budget{Video: true}},
		"audio only":            {400_000, 1_000_000, all, Budget{}},
		"not back so soon":      {460_000, 1_000_000, Budget{}, Budget{}},
		"back with a margin":    {520_000, 1_000_000, Budget{}, Budget{Video: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Choose(c.estimate, c.rate, c.playing); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
