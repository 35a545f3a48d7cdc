SELECT sent, judged, returned FROM replay_plan_returns($1)
