package main

import (
	"fmt"
	"slices"
	"strings"
)

// middle is the median of the rounds of one piece of work, by time; false: it was not measured.
func (b *bench) middle(program, work string, size int) (measurement, bool) {
	var all []measurement
	for _, m := range b.found {
		if m.Program == program && m.Work == work && m.Size == size {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return measurement{}, false
	}
	slices.SortFunc(all, func(a, b measurement) int {
		switch {
		case a.Seconds < b.Seconds:
			return -1
		case a.Seconds > b.Seconds:
			return 1
		}
		return 0
	})
	// The most memory of all rounds: what a machine has to have.
	m := all[len(all)/2]
	for _, one := range all {
		m.PeakRSSBytes = max(m.PeakRSSBytes, one.PeakRSSBytes)
	}
	return m, true
}

// table is Markdown: what was measured, then the goals.
func (b *bench) table() string {
	var t strings.Builder
	fmt.Fprintf(&t, "| | objects seeded | handled | wall | objects/s | peak memory | API requests | bytes stored |\n|---|---|---|---|---|---|---|---|\n")
	for _, work := range []string{"backup", "restore"} {
		for _, size := range b.sizes {
			for _, program := range []string{"lifeboat", "velero", "bare"} {
				b.line(&t, program, work, size)
			}
		}
	}
	fmt.Fprintf(&t, "\nMedians of %d rounds (Velero: one) by wall time, with the most memory of all rounds; load average when each began: %s.\n", b.rounds, b.loads())
	fmt.Fprintf(&t, "\n| goal | objects | measured | |\n|---|---|---|---|\n")
	for _, size := range b.sizes {
		b.goals(&t, size)
	}
	b.growth(&t)
	return t.String()
}

func (b *bench) line(t *strings.Builder, program, work string, size int) {
	names := map[string]string{"lifeboat": "lifeboat", "velero": "Velero", "bare": "bare loop"}
	m, ok := b.middle(program, work, size)
	if !ok {
		fmt.Fprintf(t, "| %s, %s | %d | not measured | | | | | |\n", work, names[program], size)
		return
	}
	stored := ""
	if m.StoredBytes > 0 {
		stored = fmt.Sprintf("%.1f MiB", float64(m.StoredBytes)/(1<<20))
	}
	fmt.Fprintf(t, "| %s, %s | %d | %d | %.2f s | %.0f | %d MiB | %d | %s |\n",
		work, names[program], size, m.Objects, m.Seconds, rate(m), m.PeakRSSBytes>>20, m.APIRequests, stored)
}

func rate(m measurement) float64 { return float64(m.Objects) / m.Seconds }

func (b *bench) loads() string {
	var all []string
	for _, m := range b.found {
		all = append(all, m.Load)
	}
	return strings.Join(all, ", ")
}

// goals holds the medians of one size against issue 4.
func (b *bench) goals(t *strings.Builder, size int) {
	tell := func(what string, value float64, known, met bool) {
		verdict := "missed"
		if met {
			verdict = "met"
		}
		if !known {
			fmt.Fprintf(t, "| %s | %d | not measured | |\n", what, size)
			return
		}
		fmt.Fprintf(t, "| %s | %d | %.2f | %s |\n", what, size, value, verdict)
	}
	least := func(what string, value, goal float64, known bool) { tell(what, value, known, value >= goal) }
	most := func(what string, value, goal float64, known bool) { tell(what, value, known, value <= goal) }
	backup, _ := b.middle("lifeboat", "backup", size)
	restore, _ := b.middle("lifeboat", "restore", size)
	theirs, known := b.middle("velero", "backup", size)
	least("backup: at least 20 times Velero's speed", theirs.Seconds/backup.Seconds, 20, known)
	most("backup: at most a quarter of Velero's memory", share(backup, theirs), 0.25, known)
	bare, known := b.middle("bare", "backup", size)
	most("backup: at most 2.5 times the bare loop", backup.Seconds/bare.Seconds, 2.5, known)
	theirs, known = b.middle("velero", "restore", size)
	least("restore: at least 10 times Velero's speed", theirs.Seconds/restore.Seconds, 10, known)
	most("restore: at most a fifth of Velero's memory", share(restore, theirs), 0.2, known)
	most("restore: at most 1.2 API requests an object", float64(restore.APIRequests)/float64(max(restore.Objects, 1)), 1.2, true)
	bare, known = b.middle("bare", "restore", size)
	least("restore: at least 0.6 of the bare loop's rate", rate(restore)/rate(bare), 0.6, known)
}

func share(ours, theirs measurement) float64 {
	return float64(ours.PeakRSSBytes) / float64(theirs.PeakRSSBytes)
}

// growth is the memory at 50,000 objects against that at 10,000.
func (b *bench) growth(t *strings.Builder) {
	for _, work := range []string{"backup", "restore"} {
		small, ok := b.middle("lifeboat", work, 10000)
		large, also := b.middle("lifeboat", work, 50000)
		what := work + ": memory at 50,000 at most 1.3 times that at 10,000"
		if !ok || !also {
			fmt.Fprintf(t, "| %s | 50000 | not measured | |\n", what)
			continue
		}
		verdict := "missed"
		if share(large, small) <= 1.3 {
			verdict = "met"
		}
		fmt.Fprintf(t, "| %s | 50000 | %.2f | %s |\n", what, share(large, small), verdict)
	}
}
