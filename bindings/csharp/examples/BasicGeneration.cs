// Basic text generation: one call that returns the whole text.
//     BasicGeneration MODEL.gguf [PROMPT]
// Every run tells something else; BITNET_SEED=42 in the environment makes it repeat itself.
using System;
using BitNet;

internal static class BasicGeneration
{
    private static int Main(string[] arguments)
    {
        if (arguments.Length < 1)
        {
            Console.Error.WriteLine("usage: BasicGeneration MODEL.gguf [PROMPT]");
            return 2;
        }
        try
        {
            using (Model model = Model.Load(arguments[0]))
            using (Context context = model.CreateContext())
            {
                GenerationOptions options = new GenerationOptions
                {
                    MaxNewTokens = 50,
                    Sampling = new SamplingOptions { Temperature = 0.8f },
                };
                GenerationResult result = context.Generate(arguments.Length > 1 ? arguments[1] : "The future of AI is", options);
                Console.WriteLine("Generated: " + result.Text);
                return 0;
            }
        }
        catch (BitNetException failure)
        {
            Console.Error.WriteLine(failure.Message);
            foreach (string suggestion in failure.Suggestions) Console.Error.WriteLine("- " + suggestion);
            return 1;
        }
    }
}
