// Package objectstore owns what object stores fail with, for whichever sink
// keeps its files there: told in one line, without secrets, with the mend.
package objectstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"google.golang.org/api/googleapi"
)

// Error is what an object store or the way to it failed with, in one
// line. The drivers' own texts run over many, and those of a network that
// failed show the URL with its query, in which a SAS token stands.
type Error struct {
	Status int    // HTTP status of the answer, 0 for none
	code   string // the store's word for it, "" for none
	text   string
	err    error // the driver's; never to be shown
}

// Error tells it.
func (e *Error) Error() string { return e.text }

// Unwrap gives the driver's error, which may show secrets.
func (e *Error) Unwrap() error { return e.err }

// Tell makes a driver's error fit to be shown.
func Tell(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{err: err}
	var (
		coded  interface{ ErrorCode() string } // S3's, as the next two
		worded interface{ ErrorMessage() string }
		answer interface{ HTTPStatusCode() int }
		google *googleapi.Error
		azure  *azcore.ResponseError
		sent   *url.Error
		words  string
	)
	switch {
	case errors.As(err, &azure):
		e.Status, e.code = azure.StatusCode, azure.ErrorCode
		if azure.RawResponse != nil {
			_, words, _ = strings.Cut(azure.RawResponse.Status, " ")
		}
	case errors.As(err, &google):
		e.Status, words = google.Code, google.Message
		if len(google.Errors) > 0 {
			e.code = google.Errors[0].Reason
		}
	case errors.As(err, &coded) && errors.As(err, &answer):
		e.Status, e.code = answer.HTTPStatusCode(), coded.ErrorCode()
		if errors.As(err, &worded) {
			words = worded.ErrorMessage()
		}
	case errors.As(err, &sent):
		e.text = sentText(sent)
		return e
	default:
		e.text = oneLine(err.Error())
		return e
	}
	e.text = oneLine(fmt.Sprintf("the store answered %d %s: %s", e.Status, e.code, words))
	return e
}

// sentText is a request's failure, without the URL's query.
func sentText(e *url.Error) string {
	place := "the store"
	if u, err := url.Parse(e.URL); err == nil {
		place = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	why := oneLine(e.Err.Error())
	if inner := (*url.Error)(nil); errors.As(e.Err, &inner) {
		why = sentText(inner)
	}
	return fmt.Sprintf("%s %s: %s", strings.ToUpper(e.Op), place, why)
}

func oneLine(text string) string {
	return strings.TrimRight(strings.Join(strings.Fields(text), " "), ":. ")
}

// What a store that answers wants to have mended, by its own words.
var (
	badCredentials = []string{
		"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken", "InvalidSecurity", "TokenRefreshRequired", // S3
		"AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo", "NoAuthenticationInformation", // Azure
		"authError", "required", // GCS
	}
	badRegion = []string{"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "MovedPermanently"}
	badClock  = []string{"RequestTimeTooSkewed", "RequestExpired"}
)

// noCredentials are the drivers' words for having found none; they have no
// types in common.
var noCredentials = []string{"get identity: get credentials", "private key should be a PEM", "DefaultAzureCredential", "could not find default credentials"}

// credentials are where each kind of store takes them from.
var credentials = map[string]string{
	"s3":     "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile of the shared files, or the machine's role",
	"gs":     "the file that GOOGLE_APPLICATION_CREDENTIALS names, those of gcloud auth application-default login, or the machine's service account",
	"azblob": "AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING, or the machine's identity",
}

// Credentials says where a kind of store ("s3", "gs", "azblob") takes them from.
func Credentials(scheme string) string { return credentials[scheme] }

// ConditionsHint is the mend of a store that ignores conditions on writes.
const ConditionsHint = "use a store that honours If-None-Match and If-Match on writes, such as AWS S3, versitygw or MinIO"

// Hint is the mend of what an object store of a kind ("s3", "gs", "azblob")
// failed with, as Tell has told it; "" for what may pass.
func Hint(scheme string, err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	is := func(codes []string) bool { return slices.Contains(codes, e.code) }
	says := func(parts []string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(e.err.Error(), part) })
	}
	permit := "let these credentials read and write objects below the prefix"
	switch {
	case says(noCredentials):
		return "give wolkpipe credentials: " + credentials[scheme]
	case e.Status == 0 && errors.Is(err, http.ErrSchemeMismatch):
		return "the endpoint speaks http: write it, or the parameter protocol, so"
	case e.Status == 0 && isCertificate(err):
		return "correct the endpoint, or let this machine trust the authority of its certificate"
	case e.Status == 0:
		return ""
	case is(badRegion) || e.Status == http.StatusMovedPermanently || e.Status == http.StatusTemporaryRedirect:
		return "set the bucket's parameter region to that of the bucket, and endpoint to that region's"
	case is(badClock):
		return "set this machine's clock"
	case is(badCredentials) || e.Status == http.StatusUnauthorized:
		return "correct the credentials: " + credentials[scheme]
	case e.Status == http.StatusForbidden && scheme == "gs":
		return permit + ", or correct the bucket's name"
	case e.Status == http.StatusForbidden:
		return permit
	case e.Status == http.StatusNotFound && scheme == "azblob":
		return "create the container, or correct its name, the account and the domain"
	case e.Status == http.StatusNotFound:
		return "create the bucket, or correct its name, region and endpoint"
	case e.Status == http.StatusNotImplemented:
		return ConditionsHint
	case e.Status == http.StatusRequestTimeout || e.Status == http.StatusConflict || e.Status == http.StatusTooManyRequests:
		return ""
	case e.Status >= 400 && e.Status < 500:
		return "correct the bucket's name and parameters"
	}
	return ""
}

func isCertificate(err error) bool {
	var e *tls.CertificateVerificationError
	return errors.As(err, &e)
}
