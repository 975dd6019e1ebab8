"""The processes: gateway, worker, scheduler, and all of them in one."""
