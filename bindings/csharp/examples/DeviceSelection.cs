// Device selection: what can compute here, and a model on the device of your choice.
//     DeviceSelection MODEL.gguf [DEVICE] [PROMPT]
// DEVICE is "auto" (the default), "cpu", "cuda", "cuda:1", ... A device that cannot be used is an error with its reason, never
// another device in silence.
using System;
using BitNet;

internal static class DeviceSelection
{
    private static int Main(string[] arguments)
    {
        if (arguments.Length < 1)
        {
            Console.Error.WriteLine("usage: DeviceSelection MODEL.gguf [DEVICE] [PROMPT]");
            return 2;
        }
        try
        {
            string name = arguments.Length > 1 ? arguments[1] : "auto";
            Device.Check(name);
            using (Model model = Model.Load(arguments[0], new ModelOptions { Device = name }))
            using (Context context = model.CreateContext())
            {
                foreach (Device device in Device.All)
                {
                    Console.WriteLine(device.TotalMemory.HasValue
                                          ? device.Name + ": " + (device.FreeMemory >> 20) + " of " + (device.TotalMemory >> 20) + " MiB free"
                                          : device.Name);
                }
                GenerationResult result = context.Generate(arguments.Length > 2 ? arguments[2] : "Hello");
                Console.WriteLine(result.Device + ": " + result.Text);
                return 0;
            }
        }
        catch (BitNetException failure)
        {
            Console.Error.WriteLine(failure.Message);
            return 1;
        }
    }
}
