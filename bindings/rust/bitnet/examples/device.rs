// Device selection: what can compute here, and a model on the device of your choice.
//     cargo run --example device -- MODEL.gguf [DEVICE] [PROMPT]
// DEVICE is "auto" (the default), "cpu", "cuda", "cuda:1", ... A device that cannot be used is an error with its reason, never
// another device in silence.
use bitnet::{Context, GenerationParams, Model, ModelParams};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: device MODEL.gguf [DEVICE] [PROMPT]")?;
    let device = arguments.next().unwrap_or_else(|| "auto".to_string());
    let prompt = arguments.next().unwrap_or_else(|| "Hello".to_string());

    bitnet::check_device(&device)?;
    let model = Model::load_with(path, ModelParams::new().device(&device))?;
    let mut context = Context::new(&model)?;
    for name in bitnet::devices() {
        match bitnet::device_memory(&name) {
            Ok(memory) => println!("{}: {} of {} MiB free", name, memory.free >> 20, memory.total >> 20),
            Err(_) => println!("{}", name), // how much memory it has is not known here
        }
    }
    let output = context.generate(&prompt, &GenerationParams::new())?;
    println!("{}: {}", output.device, output.text);
    Ok(())
}
