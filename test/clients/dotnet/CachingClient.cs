using System.Text.Json;
using Amazon.SecretsManager.Extensions.Caching;
using Npgsql;

// AWS's cache for .NET, asked before each login. A pool of Npgsql belongs to one user, so each user
// has a data source of its own, and what it has open ends with the lease.
var secretId = Environment.GetEnvironmentVariable("SECRET_ID")!;
var cacheMilliseconds = (uint)Report.Seconds("CLIENT_CACHE_SECONDS").TotalMilliseconds;
using var cache = new SecretsManagerCache(
    new SecretCacheConfiguration { CacheItemTTL = cacheMilliseconds });

async Task<string> Work()
{
    using var secret = JsonDocument.Parse(await cache.GetSecretString(secretId));
    string Field(string name) => secret.RootElement.GetProperty(name).ToString();
    var login = new NpgsqlConnectionStringBuilder
    {
        Host = Field("host"),
        Port = int.Parse(Field("port")),
        Database = Field("dbname"),
        Username = Field("username"),
        Password = Field("password"),
        SslMode = SslMode.VerifyFull,
        RootCertificate = Environment.GetEnvironmentVariable("PGSSLROOTCERT"),
        MaxPoolSize = Report.Workers,
        ConnectionLifetime = (int)Report.Seconds("LIFETIME_SECONDS").TotalSeconds,
    };
    try
    {
        await using var connection = new NpgsqlConnection(login.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "select current_user from orders where id > 0", connection);
        return (string)(await command.ExecuteScalarAsync())!;
    }
    catch (PostgresException refused) when (refused.SqlState == "28P01")
    {
        await cache.RefreshNowAsync(secretId);
        return await Work();
    }
}

await Report.Run(Work);
