package web

import (
	"cmp"
	"slices"
	"time"
)

// BoundaryMap draws the hops: ours inside the line, the others outside, the server between them; in the table those
// that need attention come first.
func BoundaryMap(hops []HopView, asOf time.Time, version string) *BoundaryView {
	v := &BoundaryView{AsOf: asOf, Version: version, Hops: slices.Clone(hops)}
	slices.SortStableFunc(v.Hops, func(a, b HopView) int { return cmp.Compare(urgency(a), urgency(b)) })
	const width, height, gap, top = 216, 56, 28, 48
	inside, outside := 0, 0
	for _, hop := range hops {
		if hop.Inside {
			inside++
		} else {
			outside++
		}
	}
	v.Height = max(top+max(inside, outside)*(height+gap)+16, 200)
	server := MapBox{X: 352, Y: v.Height/2 - height/2 + 8, W: width, H: height, Name: "Televisit", Note: version, State: "server"}
	y := map[bool]int{true: top, false: top}
	for _, hop := range hops {
		box := MapBox{X: 24, Y: y[hop.Inside], W: width, H: height, Name: hop.Name, Note: hop.Operator, State: hop.State}
		edge := MapEdge{X1: server.X, Y1: server.Y + height/2, X2: box.X + width, Y2: box.Y + height/2, Encryption: hop.Encryption, State: hop.State}
		if !hop.Inside {
			box.X = 728
			edge.X1, edge.X2 = server.X+width, box.X
		}
		edge.LabelX, edge.LabelY = box.X, box.Y+height+14
		y[hop.Inside] += height + gap
		v.Map, v.Edges = append(v.Map, box), append(v.Edges, edge)
	}
	v.Map = append(v.Map, server)
	return v
}

// urgency orders the table: what is not covered first.
func urgency(h HopView) int {
	return slices.Index([]string{"missing", "expired", "expiring", "covered", "own", "none-needed"}, h.State)
}
