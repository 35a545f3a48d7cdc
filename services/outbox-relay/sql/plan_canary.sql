SELECT pass_canary($1, $2)
