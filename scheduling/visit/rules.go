package visit

// rules is the transition table: the first row that matches decides; no row means refused.
func rules() []rule {
	var (
		booked   = []Stage{Booked}
		waiting  = []Stage{Booked, Arrived}
		open     = []Stage{Booked, Arrived, InCall}
		inCall   = []Stage{InCall}
		ended    = []Stage{Ended}
		unsigned = []Note{NoteNone, NoteDraft}
		signed   = []Note{NoteSigned, NoteAmended}
	)
	rec := func(r ...Recording) []Recording { return r }
	return []rule{
		{Arrive, condition{stage: booked}, State{Stage: Arrived}, []Event{PatientArrived}},
		{Arrive, condition{stage: []Stage{Arrived, InCall}}, State{}, nil},

		{Start, condition{stage: waiting}, State{Stage: InCall}, []Event{CallStarted}},
		{Start, condition{stage: inCall}, State{}, nil},

		{End, condition{stage: inCall, recording: rec(RecordingRunning)}, State{Stage: Ended, Recording: RecordingFinalizing}, []Event{CallEnded, RecordingStopped}},
		{End, condition{stage: inCall, recording: rec(RecordingConsented)}, State{Stage: Ended, Recording: RecordingOff}, []Event{CallEnded}},
		{End, condition{stage: inCall}, State{Stage: Ended}, []Event{CallEnded}},
		{End, condition{stage: ended}, State{}, nil},

		{Cancel, condition{stage: waiting}, State{Stage: Cancelled, Recording: RecordingOff}, []Event{VisitCancelled}},
		{Cancel, condition{stage: []Stage{Cancelled}}, State{}, nil},
		{MarkNoShow, condition{stage: booked}, State{Stage: NoShow, Recording: RecordingOff}, []Event{VisitMissed}},
		{MarkNoShow, condition{stage: []Stage{NoShow}}, State{}, nil},
		{Reschedule, condition{stage: booked}, State{}, []Event{VisitMoved}},

		{GiveConsent, condition{stage: open, recording: rec(RecordingOff)}, State{Recording: RecordingConsented}, []Event{ConsentGiven}},
		{GiveConsent, condition{stage: open}, State{}, nil},
		{WithdrawConsent, condition{stage: open, recording: rec(RecordingConsented)}, State{Recording: RecordingOff}, []Event{ConsentWithdrawn}},
		{WithdrawConsent, condition{stage: inCall, recording: rec(RecordingRunning)}, State{Recording: RecordingFinalizing}, []Event{ConsentWithdrawn, RecordingStopped}},
		{WithdrawConsent, condition{stage: open, recording: rec(RecordingOff)}, State{}, nil},

		{StartRecording, condition{stage: inCall, recording: rec(RecordingConsented)}, State{Recording: RecordingRunning}, []Event{RecordingStarted}},
		{StartRecording, condition{stage: inCall, recording: rec(RecordingRunning)}, State{}, nil},
		{StopRecording, condition{stage: inCall, recording: rec(RecordingRunning)}, State{Recording: RecordingFinalizing}, []Event{RecordingStopped}},
		{StopRecording, condition{recording: rec(RecordingFinalizing, RecordingStored, RecordingFailed)}, State{}, nil},
		{StoreRecording, condition{recording: rec(RecordingFinalizing)}, State{Recording: RecordingStored}, []Event{RecordingWasStored}},
		{StoreRecording, condition{recording: rec(RecordingStored)}, State{}, nil},
		{FailRecording, condition{stage: inCall, recording: rec(RecordingRunning, RecordingFinalizing)}, State{Recording: RecordingFailed}, []Event{RecordingHasFailed}},
		{FailRecording, condition{recording: rec(RecordingFinalizing)}, State{Recording: RecordingFailed}, []Event{RecordingHasFailed}},
		{FailRecording, condition{recording: rec(RecordingFailed)}, State{}, nil},

		{SaveDraft, condition{stage: []Stage{Booked, Arrived, InCall, Ended}, note: unsigned}, State{Note: NoteDraft}, []Event{DraftSaved}},
		{Sign, condition{stage: ended, note: []Note{NoteDraft}, delivery: []Delivery{DeliveryNone}}, State{Note: NoteSigned, Delivery: DeliveryDue}, []Event{NoteWasSigned, DeliveryQueued}},
		{Amend, condition{stage: ended, note: signed}, State{Note: NoteAmended, Delivery: DeliveryDue}, []Event{NoteWasAmended, DeliveryQueued}},

		{SendDelivery, condition{note: signed, delivery: []Delivery{DeliveryDue}}, State{Delivery: DeliverySent}, []Event{DeliveryWasSent}},
		{SendDelivery, condition{note: signed, delivery: []Delivery{DeliverySent}}, State{}, nil},
		{AcceptDelivery, condition{delivery: []Delivery{DeliveryDue, DeliverySent}}, State{Delivery: DeliveryAccepted}, []Event{DeliveryWasTaken}},
		{AcceptDelivery, condition{delivery: []Delivery{DeliveryAccepted}}, State{}, nil},
		{RejectDelivery, condition{delivery: []Delivery{DeliveryDue, DeliverySent}}, State{Delivery: DeliveryRejected}, []Event{DeliveryWasRefused}},
		{RejectDelivery, condition{delivery: []Delivery{DeliveryRejected}}, State{}, nil},
		{RetryDelivery, condition{delivery: []Delivery{DeliveryRejected}}, State{Delivery: DeliveryDue}, []Event{DeliveryQueued}},
	}
}
