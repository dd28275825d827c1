<?php
// What every client program does around its driver: keep time, count, and say what failed.

function failed(Throwable $error): void
{
    $state = $error->getCode();
    $words = str_replace("\n", ' ', $error->getMessage());
    echo 'failed ', $error::class, " $state $words\n";
}

/** Repeat work until the end. It answers with the user, or throws. */
function run(callable $work): void
{
    $statements = 0;
    $users = [];
    [$shortest, $longest] = [getenv('MIN_PAUSE_SECONDS'), getenv('MAX_PAUSE_SECONDS')];
    while (clearstatcache() || !file_exists(getenv('END_FILE'))) {
        try {
            $users[$work()] = true;
            if ($statements++ === 0) {
                echo "ready\n";
            }
        } catch (Throwable $error) {
            failed($error);
        }
        usleep(random_int((int) (1e6 * $shortest), (int) (1e6 * $longest)));
    }
    echo "done $statements ", implode(',', array_keys($users)), "\n";
}
