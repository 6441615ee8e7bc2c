// Device selection: what can compute here, and a model on the device of your choice.
//
//	device_selection MODEL.gguf [DEVICE] [PROMPT]
//
// DEVICE is "auto" (the default), "cpu", "cuda", "cuda:1", ... A device that cannot be used is an error with its reason, never
// another device in silence.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	bitnet "example.org/bitnet/bindings/go"
)

func run(path, device, prompt string) error {
	if err := bitnet.CheckDevice(device); err != nil {
		return err
	}
	model, err := bitnet.LoadModel(path, &bitnet.ModelParams{Device: device})
	if err != nil {
		return err
	}
	defer model.Close()
	session, err := model.NewContext(nil)
	if err != nil {
		return err
	}
	defer session.Close()

	for _, name := range bitnet.Devices() {
		if memory, err := bitnet.GetDeviceMemory(name); err == nil {
			fmt.Printf("%s: %d of %d MiB free\n", name, memory.Free>>20, memory.Total>>20)
		} else {
			fmt.Println(name) // how much memory it has is not known here
		}
	}
	result, err := session.Generate(context.Background(), prompt, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", result.Device, result.Text)
	return nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: %s MODEL.gguf [DEVICE] [PROMPT]\n", os.Args[0])
		os.Exit(2)
	}
	device, prompt := "auto", "Hello"
	if len(os.Args) > 2 {
		device = os.Args[2]
	}
	if len(os.Args) > 3 {
		prompt = os.Args[3]
	}
	if err := run(os.Args[1], device, prompt); err != nil {
		log.Fatal(err)
	}
}
