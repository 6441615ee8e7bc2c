// Streaming generation: the text as it is written, one step at a time. Ctrl-C ends it early.
//
//	streaming_generation MODEL.gguf [PROMPT]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	bitnet "example.org/bitnet/bindings/go"
)

func run(ctx context.Context, path, prompt string) error {
	model, err := bitnet.LoadModel(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	session, err := model.NewContext(nil)
	if err != nil {
		return err
	}
	defer session.Close()

	stream, err := session.OpenStream(ctx, prompt, nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	for step := range stream.Steps() {
		fmt.Print(step.Text) // whole UTF-8 characters; often nothing
	}
	fmt.Println()
	_, err = stream.Wait()
	if errors.Is(err, context.Canceled) {
		return nil // the user has read enough
	}
	return err
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: %s MODEL.gguf [PROMPT]\n", os.Args[0])
		os.Exit(2)
	}
	prompt := "Tell me about Rust:"
	if len(os.Args) > 2 {
		prompt = os.Args[2]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], prompt); err != nil {
		log.Fatal(err)
	}
}
