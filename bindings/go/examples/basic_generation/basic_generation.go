// Basic text generation: one call that returns the whole text.
//
//	basic_generation MODEL.gguf [PROMPT]
//
// Every run tells something else; BITNET_SEED=42 in the environment makes it repeat itself.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	bitnet "example.org/bitnet/bindings/go"
)

func run(path, prompt string) error {
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

	sampler := bitnet.DefaultSamplerParams()
	sampler.Temperature = 0.8
	result, err := session.Generate(context.Background(), prompt, &bitnet.GenerateParams{MaxTokens: 50, Sampler: &sampler})
	if err != nil {
		return err
	}
	fmt.Printf("Generated: %s\n", result.Text)
	return nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: %s MODEL.gguf [PROMPT]\n", os.Args[0])
		os.Exit(2)
	}
	prompt := "The future of AI is"
	if len(os.Args) > 2 {
		prompt = os.Args[2]
	}
	if err := run(os.Args[1], prompt); err != nil {
		log.Fatal(err)
	}
}
