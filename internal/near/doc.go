// Package near finds the word that was meant.
package near
