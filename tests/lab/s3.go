package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signer signs requests to an S3 server by AWS Signature Version 4: just what the lab
// needs to make a bucket.
type signer struct {
	access, secret, region string
}

func (s signer) sign(req *http.Request, body []byte, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	day := stamp[:8]
	sum := sha256.Sum256(body)
	content := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", content)

	headers := map[string]string{"host": req.URL.Host}
	for name := range req.Header {
		headers[strings.ToLower(name)] = strings.TrimSpace(req.Header.Get(name))
	}
	var names []string
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	var lines strings.Builder
	for _, name := range names {
		fmt.Fprintf(&lines, "%s:%s\n", name, headers[name])
	}
	signed := strings.Join(names, ";")
	query := strings.ReplaceAll(req.URL.Query().Encode(), "+", "%20")
	request := strings.Join([]string{req.Method, req.URL.EscapedPath(), query, lines.String(), signed, content}, "\n")

	scope := day + "/" + s.region + "/s3/aws4_request"
	sum = sha256.Sum256([]byte(request))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{day, s.region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s",
		s.access, scope, signed, hex.EncodeToString(mac(key, toSign))))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// do sends one request and returns the answer's body.
func (s signer) do(ctx context.Context, method, endpoint, path string, body []byte) ([]byte, error) {
	at, err := url.Parse(endpoint + path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s.sign(req, body, time.Now())
	client := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// try proves that the server takes the credentials of this lab and keeps what it is given.
func (s signer) try(ctx context.Context, endpoint, bucket string) error {
	if _, err := s.do(ctx, http.MethodHead, endpoint, "/"+bucket, nil); err != nil {
		if _, err := s.do(ctx, http.MethodPut, endpoint, "/"+bucket, nil); err != nil {
			return err
		}
	}
	key, word := "/"+bucket+"/lab-probe", []byte(secret())
	if _, err := s.do(ctx, http.MethodPut, endpoint, key, word); err != nil {
		return err
	}
	got, err := s.do(ctx, http.MethodGet, endpoint, key, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, word) {
		return fmt.Errorf("%s does not return what was put", key)
	}
	_, err = s.do(ctx, http.MethodDelete, endpoint, key, nil)
	return err
}
