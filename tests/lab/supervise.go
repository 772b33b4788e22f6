package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// runForeground is the supervisor: it starts everything, and ends everything when a signal
// comes, when standard input closes (if it was told to care), or when starting failed.
func runForeground(at layout, o upOptions) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if o.untilStdinCloses {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	say := printer()
	var parent *reporter
	if o.detached {
		parent = newReporter()
		say = parent.wrap(say)
		defer func() { parent.finish(err) }()
	}
	repo, err := findRepo(o.repo)
	if err != nil {
		return err
	}
	paths, err := provide(ctx, repo, func(p program) bool { return !p.peer && !o.without[p.name] }, say)
	if err != nil {
		return err
	}
	names, err := provideBundle(ctx, bind, say)
	if errors.Is(err, errNoPackages) {
		say(fmt.Sprintf("The lab has no name server: %v.", err))
		o.noNames = err.Error()
	} else if err != nil {
		return err
	}
	if err := enoughRoom(at.dir); err != nil {
		return err
	}
	lock, err := at.claim(say)
	if err != nil {
		return err
	}
	defer lock.Close()
	record, err := newRecord(at)
	if err != nil {
		return err
	}
	c := &children{spawner: newSpawner(), record: record, at: at, ports: &ports{}, say: say}
	defer func() {
		c.stop()
		err = errors.Join(err, at.removeData(), at.remove([]string{processesFile}))
	}()
	if err := startLab(ctx, c, paths, names, repo, o); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("stopped before the lab was ready")
		}
		return err
	}
	if parent != nil {
		parent.finish(nil)
	}
	<-ctx.Done()
	say("The lab has ended.")
	return nil
}

// startLab brings up sites, stores and the name server, all at once, then writes the files that lead there.
func startLab(ctx context.Context, c *children, paths map[string]string, found bundle, repo string, o upOptions) error {
	began := time.Now()
	sites := []*site{newSite("east", 10), newSite("west", 20)}
	stores := []*store{newStore("vault", versitygw)}
	if !o.without[minio] {
		stores = append(stores, newStore("second", minio))
	}
	if err := os.MkdirAll(c.at.path("vault-directory"), 0o700); err != nil {
		return err
	}
	parts := map[string]func(context.Context) error{}
	for _, s := range sites {
		s.forget = o.forget
		parts[s.name] = func(ctx context.Context) error { return s.start(ctx, c, paths) }
	}
	for _, s := range stores {
		parts[s.name] = func(ctx context.Context) error { return s.start(ctx, c, paths) }
	}
	var names *nameServer
	if o.noNames == "" {
		names = newNameServer(found)
		parts[namesOwner] = func(ctx context.Context) error { return names.start(ctx, c) }
	}
	seconds, err := together(ctx, parts, c.say)
	if err != nil {
		return err
	}
	clients := map[string]*kube{}
	for _, s := range sites {
		front, err := s.openFront(c.ports)
		if err != nil {
			return err
		}
		go func() { <-ctx.Done(); front.Close() }()
		clients[s.name] = s.admin
	}
	if !o.noSeed {
		start := time.Now()
		if err := seed(ctx, repo, shopPlaybook, clients, c.say); err != nil {
			return err
		}
		seconds["seed"] = since(start)
	}
	for name, text := range map[string][]byte{
		"kubeconfig": kubeconfig(toolUser, sites...), "credentials": credentials(stores), "sites.yaml": sitesYAML(sites, stores, names),
	} {
		if err := c.at.write(name, text); err != nil {
			return err
		}
	}
	control := newControl(ctx, c, sites, stores)
	listener, door, err := control.open(c.ports)
	if err != nil {
		return err
	}
	go func() { <-ctx.Done(); listener.Close() }()
	d := describe(c.at, c, sites, stores, names)
	d.NoNames = o.noNames
	d.Control = door
	seconds["total"] = since(began)
	d.Seconds, d.Seeded = seconds, !o.noSeed
	if err := c.at.writeJSON(labFile, d); err != nil { // last: who sees it may begin
		return err
	}
	c.say(fmt.Sprintf("The lab is ready in %s, after %s.", c.at.dir, took(began)))
	return nil
}

// together runs all parts at once; the first failure stops the others.
func together(ctx context.Context, parts map[string]func(context.Context) error, say func(string)) (map[string]float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seconds := map[string]float64{}
	for name, part := range parts {
		wg.Go(func() {
			began := time.Now()
			if err := part(ctx); err != nil {
				cancel(err) // the first one counts
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seconds[name] = since(began)
			say(fmt.Sprintf("%s is up (%s).", name, took(began)))
		})
	}
	wg.Wait()
	return seconds, context.Cause(ctx)
}

func since(t time.Time) float64 { return float64(time.Since(t).Milliseconds()) / 1000 }

// printer prints whole lines, whoever calls it.
func printer() func(string) {
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(line)
	}
}
