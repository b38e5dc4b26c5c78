// Package meter is being written.
package meter
