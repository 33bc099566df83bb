package packet

// VP8 is the VP8 payload descriptor (RFC 7741 section 4.2), read in place.
type VP8 struct {
	Start       bool // first packet of partition 0: the frame begins here
	NonRef      bool // no other frame depends on this one
	HasPicture  bool
	LongPicture bool // 15 bits, else 7
	HasTL0      bool
	HasTID      bool
	LayerSync   bool
	PictureID   uint16
	TL0         uint8
	TID         uint8
	Size        int // bytes of the descriptor

	pictureAt int
	tl0At     int
}

// ParseVP8 reads the descriptor at the start of an RTP payload; false if the
// payload is cut short.
func ParseVP8(b []byte) (VP8, bool) {
	if len(b) < 1 {
		return VP8{}, false
	}
	d := VP8{Start: b[0]&0x10 != 0 && b[0]&0x07 == 0, NonRef: b[0]&0x20 != 0, Size: 1}
	if b[0]&0x80 == 0 {
		return d, true
	}
	if len(b) < 2 {
		return VP8{}, false
	}
	flags := b[1]
	d.Size = 2
	if flags&0x80 != 0 && !d.readPicture(b) {
		return VP8{}, false
	}
	if flags&0x40 != 0 {
		if len(b) <= d.Size {
			return VP8{}, false
		}
		d.HasTL0, d.tl0At, d.TL0 = true, d.Size, b[d.Size]
		d.Size++
	}
	if flags&0x30 != 0 {
		if len(b) <= d.Size {
			return VP8{}, false
		}
		d.HasTID = flags&0x20 != 0
		d.TID, d.LayerSync = b[d.Size]>>6, b[d.Size]&0x20 != 0
		d.Size++
	}
	return d, true
}

func (d *VP8) readPicture(b []byte) bool {
	if len(b) <= d.Size {
		return false
	}
	d.HasPicture, d.pictureAt = true, d.Size
	if b[d.Size]&0x80 == 0 {
		d.PictureID = uint16(b[d.Size] & 0x7f)
		d.Size++
		return true
	}
	if len(b) <= d.Size+1 {
		return false
	}
	d.LongPicture = true
	d.PictureID = uint16(b[d.Size]&0x7f)<<8 | uint16(b[d.Size+1])
	d.Size += 2
	return true
}

// Rewrite adds the offsets to the picture id and the TL0 index in place, and
// returns the values written. b is the payload that d was read from.
func (d *VP8) Rewrite(b []byte, o Offsets) (picture uint16, tl0 uint8) {
	if d.HasPicture {
		picture = d.PictureID + o.PictureID
		if d.LongPicture {
			picture &= 0x7fff
			b[d.pictureAt], b[d.pictureAt+1] = 0x80|byte(picture>>8), byte(picture)
		} else {
			picture &= 0x7f
			b[d.pictureAt] = byte(picture)
		}
	}
	if d.HasTL0 {
		tl0 = d.TL0 + o.TL0
		b[d.tl0At] = tl0
	}
	return picture, tl0
}
