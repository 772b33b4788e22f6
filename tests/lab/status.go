package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// runStatus prints what runs, and fails if something does not.
func runStatus(at layout) error {
	p, err := at.processes()
	if err != nil {
		return err
	}
	d, err := readDescription(at)
	if err != nil {
		if p.Supervisor.alive() {
			return fmt.Errorf("the lab in %s is still starting (pid %d); its log is %s", at.dir, p.Supervisor.PID, at.path(logFile))
		}
		return err
	}
	if !d.Supervisor.alive() {
		return fmt.Errorf("the lab in %s was killed: `lab up` starts another, `lab down` clears it away", at.dir)
	}
	total, dead := int64(0), 0
	fmt.Printf("%-32s %8s %8s\n", "process", "pid", "memory")
	row := func(name string, i identity) {
		if !i.alive() {
			dead++
			fmt.Printf("%-32s %8d %8s\n", name, i.PID, "ended")
			return
		}
		used := memory(i.PID)
		if strings.HasSuffix(name, "/"+velero) { // its keeper's pid, the family's memory
			for _, one := range family(i.PID) {
				used += memory(one)
			}
		}
		total += used
		fmt.Printf("%-32s %8d %5d MB\n", name, i.PID, used>>20)
	}
	var names []string
	for owner, s := range d.Sites {
		for name := range s.Processes {
			names = append(names, owner+"/"+name)
		}
	}
	for owner, s := range d.Stores {
		for name := range s.Processes {
			names = append(names, owner+"/"+name)
		}
	}
	if d.Names != nil {
		for name := range d.Names.Processes {
			names = append(names, namesOwner+"/"+name)
		}
	}
	slices.Sort(names)
	row("supervisor", d.Supervisor)
	for _, name := range names {
		owner, program, _ := strings.Cut(name, "/")
		if s, ok := d.Sites[owner]; ok {
			row(name, s.Processes[program].identity)
		} else if owner == namesOwner {
			row(name, d.Names.Processes[program].identity)
		} else {
			row(name, d.Stores[owner].Processes[program].identity)
		}
	}
	for _, name := range siteNames { // started later, so not in lab.json
		if peer, ok := p.Children[name+"/"+velero]; ok && peer.alive() {
			row(name+"/"+velero, peer)
		}
	}
	fmt.Printf("%-32s %8s %5d MB\n\n", "together", "", total>>20)
	for _, name := range siteNames {
		s := d.Sites[name]
		fmt.Printf("%-7s %s  front %s/shop/healthz: %s\n", name, s.URL, s.Front, ask(s.Front+"/shop/healthz"))
	}
	for name, s := range d.Stores {
		fmt.Printf("%-7s %s  bucket %s\n", name, s.Endpoint, s.Bucket)
	}
	if d.Names != nil {
		fmt.Printf("%-7s %s  zones %s\n", namesOwner, d.Names.Address, strings.Join(d.Names.Zones, ", "))
	} else {
		fmt.Printf("%-7s none: %s\n", namesOwner, d.NoNames)
	}
	if dead > 0 {
		return fmt.Errorf("%d processes of the lab have ended", dead)
	}
	return nil
}

func ask(url string) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, text))
}

// runDown ends the lab in the folder, and whatever a crashed one left there.
func runDown(at layout) error {
	p, err := at.processes()
	if err != nil {
		return err
	}
	if p.Supervisor.PID == 0 {
		fmt.Printf("No lab runs in %s.\n", at.dir)
		return nil
	}
	began := time.Now()
	if p.Supervisor.signal(syscall.SIGTERM) {
		p.Supervisor.gone(15 * time.Second)
	}
	// What is left now was not ended by its supervisor.
	forced := p.kill()
	for _, i := range p.all() {
		if i.alive() {
			err = errors.Join(err, fmt.Errorf("process %d does not end", i.PID))
		}
	}
	err = errors.Join(err, at.removeData(), at.remove([]string{processesFile}))
	if err == nil {
		fmt.Printf("The lab in %s has ended (%s, %d processes by force). Its logs are still there.\n", at.dir, took(began), forced)
	}
	return err
}
