// Package schemas owns the public shapes: source rows as the journal keeps
// them, normalised windows, the events that consumers read with their ids and
// subjects. It imports the standard library alone, so that a consumer can use
// it without the pipeline.
//
// README.md beside this file is the public interface in prose.
package schemas
