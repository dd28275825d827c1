using System.Globalization;
using Npgsql;

/// <summary>What every client program does around its driver: keep time, count, and say what failed.</summary>
static class Report
{
    static readonly object Lock = new();
    static readonly HashSet<string> Users = [];
    static int statements;

    static string Variable(string name) =>
        Environment.GetEnvironmentVariable(name) ?? throw new ArgumentException($"no {name}");

    public static TimeSpan Seconds(string name) =>
        TimeSpan.FromSeconds(double.Parse(Variable(name), CultureInfo.InvariantCulture));

    public static int Workers => int.Parse(Variable("WORKERS"));

    static bool GoesOn => !File.Exists(Variable("END_FILE"));

    static void Did(string user)
    {
        lock (Lock)
        {
            if (statements++ == 0) Console.WriteLine("ready");
            if (Users.Add(user)) Console.WriteLine($"user {user}");
        }
    }

    static void Failed(Exception error)
    {
        var state = (error as PostgresException)?.SqlState;
        var words = error.Message.ReplaceLineEndings(" ");
        lock (Lock) Console.WriteLine($"failed {error.GetType().Name} {state} {words}");
    }

    static async Task Repeat(Func<Task<string>> work)
    {
        var (shortest, longest) = (Seconds("MIN_PAUSE_SECONDS"), Seconds("MAX_PAUSE_SECONDS"));
        while (GoesOn)
        {
            try
            {
                Did(await work());
            }
            catch (Exception error)
            {
                Failed(error);
            }
            await Task.Delay(shortest + Random.Shared.NextDouble() * (longest - shortest));
        }
    }

    /// <summary>Repeat work until the end. It answers with the user, or throws.</summary>
    public static async Task Run(Func<Task<string>> work)
    {
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Repeat(work)));
        Console.WriteLine($"done {statements} {string.Join(',', Users)}");
    }
}
